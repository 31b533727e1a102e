//! Buckets of clouds, and of servers that speak as they do. Each by its own Cargo feature.

use std::sync::Arc;

use object_store::ObjectStore;
use statehold_core::{Error, Result};

/// Where credentials come from.
pub(super) const CREDENTIALS: &str = "set the credentials in the environment: AWS_ACCESS_KEY_ID and \
                                      AWS_SECRET_ACCESS_KEY, GOOGLE_SERVICE_ACCOUNT, or AZURE_STORAGE_ACCOUNT_NAME and \
                                      AZURE_STORAGE_ACCOUNT_KEY";

/// The bucket of a `s3`, `gs` or `az` URL, with what the environment says of endpoint and credentials. Sends nothing.
///
/// # Errors
/// `Unsupported` if the build has not the feature; `InvalidInput` if the environment lacks something or is malformed.
pub(super) fn open(scheme: &str, bucket: &str) -> Result<Arc<dyn ObjectStore>> {
    match scheme {
        #[cfg(feature = "s3")]
        "s3" => bucket::s3(bucket),
        #[cfg(feature = "gcs")]
        "gs" => bucket::gcs(bucket),
        #[cfg(feature = "azure")]
        "az" => bucket::azure(bucket),
        _ => Err(Error::unsupported(format!("this build has no `{scheme}://`, which `{scheme}://{bucket}` needs"))
            .about("url")
            .advise("build statehold with the Cargo feature `s3`, `gcs` or `azure`")),
    }
}

#[cfg(feature = "cloud")]
#[cfg_attr(not(any(feature = "s3", feature = "gcs", feature = "azure")), expect(dead_code, reason = "of no use alone"))]
mod bucket {
    use std::{env, time::Duration};

    use object_store::{BackoffConfig, ClientConfigKey, RetryConfig};

    use super::{Arc, CREDENTIALS, Error, ObjectStore, Result};

    /// For one request, the longest of which uploads an object. `<CLOUD>_TIMEOUT` is another.
    const TIMEOUT: &str = "60 seconds";

    #[cfg(feature = "s3")]
    pub(super) fn s3(bucket: &str) -> Result<Arc<dyn ObjectStore>> {
        use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
        let mut builder = AmazonS3Builder::from_env();
        if with_timeout("AWS") {
            builder = builder.with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), TIMEOUT);
        }
        let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
        let allowed = builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
        if endpoint.is_some_and(|e| e.starts_with("http://")) && allowed.as_deref() != Some("true") {
            return Err(Error::invalid(format!("the endpoint of `s3://{bucket}` is plain http"))
                .about("url")
                .advise("write https, or set AWS_ALLOW_HTTP=true where nobody listens in"));
        }
        // The log rests on it, whatever AWS_CONDITIONAL_PUT says.
        let builder = builder.with_conditional_put(S3ConditionalPut::ETagMatch);
        built("s3", bucket, builder.with_bucket_name(bucket).with_retry(retries()).build())
    }

    #[cfg(feature = "gcs")]
    pub(super) fn gcs(bucket: &str) -> Result<Arc<dyn ObjectStore>> {
        use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
        let mut builder = GoogleCloudStorageBuilder::from_env();
        if with_timeout("GOOGLE") {
            builder = builder.with_config(GoogleConfigKey::Client(ClientConfigKey::Timeout), TIMEOUT);
        }
        built("gs", bucket, builder.with_bucket_name(bucket).with_retry(retries()).build())
    }

    #[cfg(feature = "azure")]
    pub(super) fn azure(container: &str) -> Result<Arc<dyn ObjectStore>> {
        use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
        let mut builder = MicrosoftAzureBuilder::from_env();
        if with_timeout("AZURE") {
            builder = builder.with_config(AzureConfigKey::Client(ClientConfigKey::Timeout), TIMEOUT);
        }
        built("az", container, builder.with_container_name(container).with_retry(retries()).build())
    }

    /// Prepares TLS; whether ours is the time-out to use.
    fn with_timeout(cloud: &str) -> bool {
        // The HTTP client takes the process's; somebody else's choice is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        env::var_os(format!("{cloud}_TIMEOUT")).is_none()
    }

    /// What fails on the way is sent again, up to 5 times and 60 s after the first.
    fn retries() -> RetryConfig {
        let backoff =
            BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(5), base: 2.0 };
        RetryConfig { backoff, max_retries: 5, retry_timeout: Duration::from_secs(60) }
    }

    fn built<S: ObjectStore>(
        scheme: &str,
        bucket: &str,
        built: Result<S, object_store::Error>,
    ) -> Result<Arc<dyn ObjectStore>> {
        match built {
            Ok(store) => Ok(Arc::new(store)),
            Err(cause) => {
                Err(Error::invalid(format!("the environment does not say how to reach `{scheme}://{bucket}`"))
                    .about("url")
                    .advise(CREDENTIALS)
                    .because(cause))
            }
        }
    }
}
