//! Certificates for private servers.

use std::fs;

use statehold_core::{Error, Result};

use super::{
    folder::{Folder, give},
    process::{RunAs, find_binary, run},
};

/// Writes `ca.crt` into `folder`, and `server.crt` and `server.key` for `localhost` and 127.0.0.1.
///
/// # Errors
/// `NotFound` without openssl; `Unavailable` with what it said.
pub(super) fn make_certificates(folder: &Folder, user: Option<RunAs>) -> Result<()> {
    let openssl = find_binary("openssl", &[], "openssl")?;
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (ca, ca_key, key, asked, signed, extensions) =
        (at("ca.crt"), at("ca.key"), at("server.key"), at("server.csr"), at("server.crt"), at("extensions"));
    let key_kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n";
    fs::write(&extensions, names).map_err(|e| Error::internal("no file for a certificate").because(e))?;
    give(extensions.as_ref(), user)?;
    let ask = |extra: &[&str]| -> Result<()> {
        let arguments: Vec<&str> = ["req"].iter().chain(&key_kind).chain(extra).copied().collect();
        run(&openssl, &arguments, user)
    };
    ask(&["-x509", "-days", "2", "-subj", "/CN=statehold test CA", "-keyout", &ca_key, "-out", &ca])?;
    ask(&["-subj", "/CN=localhost", "-keyout", &key, "-out", &asked])?;
    let sign = ["x509", "-req", "-days", "2", "-CAcreateserial", "-in", &asked, "-CA", &ca, "-CAkey", &ca_key];
    let out = ["-out", &signed, "-extfile", &extensions];
    run(&openssl, &[&sign[..], &out[..]].concat(), user)
}
