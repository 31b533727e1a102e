//! Archives at `s3://`, against a server on loopback.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use statehold_archive_tests::{ACCESS_KEY, S3Server, SECRET_KEY};

/// A client whose environment has all that a bucket of the server needs.
fn client(endpoint: &str) -> Command {
    let mut client = Command::new(env!("CARGO_BIN_EXE_archive-client"));
    client
        .env_clear()
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    client
}

fn run(client: &mut Command, action: &str, url: &str) -> (bool, String) {
    let Output { status, stdout, stderr } = client.args([action, url]).output().unwrap();
    (status.success(), format!("{}{}", String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap()))
}

/// The client fails with this kind, says these words, and shows no credentials.
fn fails(client: &mut Command, url: &str, kind: &str, words: &[&str]) {
    let (ok, said) = run(client, "write", url);
    assert!(!ok, "{said}");
    assert_eq!(said.lines().next(), Some(kind), "{said}");
    let message = said.lines().nth(1).unwrap();
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {said}");
    }
    assert!(!said.contains(SECRET_KEY), "{said}");
}

/// An HTTP server that answers everything alike.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the test's process.
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let mut socket = socket;
            let mut request = [0; 8 << 10];
            if socket.read(&mut request).is_ok() {
                // A client that went away needs no answer.
                let _ = socket.write_all(answer.as_bytes());
            }
        }
    });
    at
}

#[test]
fn life_2_checkpoints_in_a_bucket_are_listed_verified_and_recovered_by_another_process() {
    let server = S3Server::start(&["jobs"]).unwrap();
    for (id, folder) in [(1, "deep/folder"), (2, "deep/folder"), (1, "")] {
        let (ok, said) = run(&mut client(&server.endpoint()), "write", &format!("s3://jobs/{folder}"));
        assert!(ok && said.contains(&format!("wrote {id}")), "{said}");
    }
    let (ok, said) = run(&mut client(&server.endpoint()), "read", "s3://jobs/deep/folder");
    assert!(ok, "{said}");
    assert!(said.contains("checkpoints [1, 2], 2001 rows, the last Some(3998)"), "{said}");
    let log = |folder: &str| server.buckets().join("jobs").join(folder).join("orders/log/00000000000000000001.json");
    assert!(log("deep/folder").exists() && log("").exists());
}

#[test]
fn life_4_an_object_that_changed_in_its_bucket_is_corrupt() {
    let server = S3Server::start(&["jobs"]).unwrap();
    let (ok, said) = run(&mut client(&server.endpoint()), "write", "s3://jobs/a");
    assert!(ok, "{said}");
    let objects = server.buckets().join("jobs/a/orders/objects");
    let object = files(&objects).into_iter().next().unwrap();
    let mut bytes = std::fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&object, bytes).unwrap();
    let (ok, said) = run(&mut client(&server.endpoint()), "read", "s3://jobs/a");
    assert!(!ok && said.starts_with("Corrupt") && said.contains("s3://jobs/a/orders/objects/"), "{said}");
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect()
}

#[test]
fn a_wrong_bucket_is_not_found() {
    let server = S3Server::start(&["jobs"]).unwrap();
    fails(&mut client(&server.endpoint()), "s3://job/a", "NotFound", &["s3://job/a", "NoSuchBucket", "create it"]);
}

#[test]
fn own_4_wrong_credentials_are_refused_and_never_shown() {
    let server = S3Server::start(&["jobs"]).unwrap();
    let url = "s3://jobs/a";
    let mut wrong_key = client(&server.endpoint());
    fails(wrong_key.env("AWS_ACCESS_KEY_ID", "AKIDOTHER"), url, "InvalidInput", &[url, "AWS_ACCESS_KEY_ID"]);
    let mut wrong_secret = client(&server.endpoint());
    wrong_secret.env("AWS_SECRET_ACCESS_KEY", format!("{SECRET_KEY}x"));
    fails(&mut wrong_secret, url, "InvalidInput", &[url, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"]);
    let mut half = client(&server.endpoint());
    fails(half.env_remove("AWS_SECRET_ACCESS_KEY"), url, "InvalidInput", &["s3://jobs", "AWS_SECRET_ACCESS_KEY"]);
}

#[test]
fn own_4_credentials_in_the_url_are_refused_and_never_shown() {
    let url = format!("s3://me:{SECRET_KEY}@jobs/a");
    fails(&mut client("http://127.0.0.1:1"), &url, "InvalidInput", &["environment"]);
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    fails(&mut client(&at), "s3://jobs/a", "Unavailable", &["s3://jobs/a", "try again"]);
}

#[test]
fn a_bucket_of_another_region_says_what_to_set() {
    let moved = answering("HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    fails(&mut client(&moved), "s3://jobs/a", "InvalidInput", &["s3://jobs/a", "AWS_REGION"]);
    let signed_for_another = answering(concat!(
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 58\r\nConnection: close\r\n\r\n",
        "<Error><Code>AuthorizationHeaderMalformed</Code></Error>\r\n"
    ));
    fails(&mut client(&signed_for_another), "s3://jobs/a", "InvalidInput", &["s3://jobs/a", "AWS_REGION"]);
}

#[test]
fn plain_http_must_be_allowed() {
    let server = S3Server::start(&["jobs"]).unwrap();
    let mut strict = client(&server.endpoint());
    fails(strict.env_remove("AWS_ALLOW_HTTP"), "s3://jobs/a", "InvalidInput", &["s3://jobs", "AWS_ALLOW_HTTP=true"]);
}
