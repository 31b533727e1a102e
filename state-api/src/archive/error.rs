//! What an object store's failures mean to a caller.

use std::{error::Error as _, io};

use object_store::Error as StoreError;
use statehold_core::{Error, ErrorKind};

use super::cloud::CREDENTIALS;

/// The error of `doing` something to `what`, e.g. reading an object.
pub(super) fn failed(doing: &str, what: &str, cause: StoreError) -> Error {
    let (kind, reason, advice) = explain(&cause);
    Error::new(kind, format!("cannot {doing} `{what}`: {reason}")).about(what).advise(advice).because(cause)
}

/// Messages are our own words: an object store's may quote a request with its credentials.
fn explain(cause: &StoreError) -> (ErrorKind, String, &'static str) {
    const RETRY: &str = "try again when the object store answers";
    const PERMISSION: &str = "let this process read and write the archive's folder";
    if let Some(explained) = explain_metadata(cause).or_else(|| explain_answer(cause)) {
        return explained;
    }
    match cause {
        StoreError::NotFound { .. } => return (ErrorKind::NotFound, "it does not exist".into(), RETRY),
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            return (ErrorKind::InvalidInput, "the object store refuses the credentials".into(), PERMISSION);
        }
        StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => {
            return (
                ErrorKind::Unsupported,
                "the object store cannot do it".into(),
                "choose one with create-if-absent and list",
            );
        }
        _ => {}
    }
    let Some(io) = io_cause(cause) else {
        return (ErrorKind::Unavailable, "the object store failed".into(), RETRY);
    };
    use io::ErrorKind as Io;
    let (kind, advice) = match io.kind() {
        Io::PermissionDenied | Io::ReadOnlyFilesystem => (ErrorKind::InvalidInput, PERMISSION),
        Io::NotADirectory | Io::IsADirectory | Io::InvalidFilename => {
            (ErrorKind::InvalidInput, "let the archive's URL name a folder")
        }
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => (ErrorKind::ResourceExhausted, "make room there"),
        _ => (ErrorKind::Unavailable, RETRY),
    };
    (kind, io.to_string(), advice)
}

/// Without credentials a client asks the machine's metadata service for some: what failed is that, not the bucket.
fn explain_metadata(cause: &StoreError) -> Option<(ErrorKind, String, &'static str)> {
    // Of EC2 and Azure, of ECS, of Google.
    const SERVICES: [&str; 3] = ["//169.254.169.254/", "//169.254.170.2/", "//metadata.google.internal/"];
    let asked = causes(cause).map(ToString::to_string).find(|e| SERVICES.iter().any(|s| e.contains(s)))?;
    Some(if asked.contains("status code: 4") {
        let reason = "no credentials are set, and the machine's metadata service gives none";
        (ErrorKind::InvalidInput, reason.into(), CREDENTIALS)
    } else {
        // Silence, or a failure of its own: on a machine of a cloud that may pass.
        let reason = "no credentials are set, and no metadata service of the machine answers, which might have some";
        (ErrorKind::Unavailable, reason.into(), CREDENTIALS)
    })
}

/// What a cloud's own error code means. Of its answer only the code, a word, is repeated.
fn explain_answer(cause: &StoreError) -> Option<(ErrorKind, String, &'static str)> {
    const BUCKET: &str = "check the bucket in the archive's URL; create it first";
    const REGION: &str = "set AWS_REGION, or AWS_ENDPOINT_URL, to those of the bucket";
    let answer = causes(cause).last()?.to_string();
    if answer.starts_with("Received redirect without LOCATION") {
        return Some((ErrorKind::InvalidInput, "the bucket is in another region".into(), REGION));
    }
    let code = answer.split_once("<Code>").and_then(|(_, rest)| Some(rest.split_once("</Code>")?.0));
    let code = code.filter(|c| c.len() <= 64 && c.bytes().all(|b| b.is_ascii_alphanumeric()));
    // A list's status is told in words only.
    let status = answer.split_once("status code: ").and_then(|(_, rest)| rest.get(..3));
    let (kind, advice) = match (code, status) {
        (Some("NoSuchBucket" | "ContainerNotFound"), _) => (ErrorKind::NotFound, BUCKET),
        (Some("PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed"), _) => {
            (ErrorKind::InvalidInput, REGION)
        }
        (Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken"), _)
        | (_, Some("401" | "403")) => (ErrorKind::InvalidInput, CREDENTIALS),
        _ => return None,
    };
    Some((kind, format!("the object store answers {}", code.or(status)?), advice))
}

/// What lies behind it, the deepest last.
fn causes(cause: &StoreError) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(cause.source(), |cause| (*cause).source())
}

/// The operating system's error at the bottom, if there is one.
fn io_cause(cause: &StoreError) -> Option<&io::Error> {
    causes(cause).find_map(|cause| cause.downcast_ref::<io::Error>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(io: io::ErrorKind) -> StoreError {
        StoreError::Generic { store: "test", source: Box::new(io::Error::from(io)) }
    }

    #[test]
    fn a_full_disk_is_told_from_a_wrong_path_and_from_an_outage() {
        let kind = |io| failed("write", "log/1", generic(io)).kind();
        assert_eq!(kind(io::ErrorKind::StorageFull), ErrorKind::ResourceExhausted);
        assert_eq!(kind(io::ErrorKind::PermissionDenied), ErrorKind::InvalidInput);
        assert_eq!(kind(io::ErrorKind::NotADirectory), ErrorKind::InvalidInput);
        assert_eq!(kind(io::ErrorKind::ConnectionReset), ErrorKind::Unavailable);
    }

    #[test]
    fn a_clouds_code_tells_a_wrong_bucket_from_a_wrong_region_and_wrong_credentials() {
        let answer = |text: &str| {
            let source = text.to_owned().into();
            failed("read", "s3://b/log", StoreError::Generic { store: "S3", source })
        };
        let status = |code| answer(&format!("Server returned non-2xx status code: 400: <Error><Code>{code}</Code>"));
        assert_eq!(status("NoSuchBucket").kind(), ErrorKind::NotFound);
        assert_eq!(status("SignatureDoesNotMatch").kind(), ErrorKind::InvalidInput);
        assert!(status("AuthorizationHeaderMalformed").to_string().contains("AWS_REGION"));
        assert!(answer("Received redirect without LOCATION, this").to_string().contains("AWS_REGION"));
        let unknown_key = "Server returned non-2xx status code: 403 Forbidden: <Code>NotSignedUp</Code>";
        assert_eq!(answer(unknown_key).kind(), ErrorKind::InvalidInput);
        assert_eq!(status("SlowDown").kind(), ErrorKind::Unavailable);
        assert_eq!(status("a b").kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn missing_credentials_are_told_from_wrong_ones_and_from_an_outage() {
        let error = |text: &str| failed("list", "s3://b/log", StoreError::Generic { store: "S3", source: text.into() });
        let token = "Error performing PUT http://169.254.169.254/latest/api/token in 2 ms - ";
        let refused = error(&format!("{token}Server returned non-2xx status code: 403 Forbidden: "));
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        assert!(refused.to_string().contains("no credentials are set"), "{refused}");
        let silent = error(&format!("{token}HTTP error: error sending request"));
        assert_eq!(silent.kind(), ErrorKind::Unavailable);
        assert!(silent.to_string().contains("AWS_ACCESS_KEY_ID"), "{silent}");
        let broken = error(&format!("{token}Server returned non-2xx status code: 503 Service Unavailable: "));
        assert_eq!(broken.kind(), ErrorKind::Unavailable);
        let elsewhere = error("Error performing PUT http://192.0.2.1/b - HTTP error: error sending request");
        assert!(!elsewhere.to_string().contains("no credentials"), "{elsewhere}");
    }

    #[test]
    fn own_4_the_object_stores_own_words_are_not_repeated() {
        let source = "PUT https://host/?X-Amz-Signature=s3cr3t failed".into();
        let error = failed("write", "log/1", StoreError::Generic { store: "S3", source });
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
    }
}
