//! [`probe`]: pages of reports in a real browser, headless.

use std::{fs, process::Command};

use statehold_core::{Error, ErrorKind, Result};

/// What reports' pages ask of a browser: to fetch and to run nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Loads `page` on a screen of `width` × `height` in a headless Chromium and answers, as JSON, what `script` returns
/// there. The page must forbid scripts; in the copy that is looked at they may run, so that hostile ones have their
/// chance.
///
/// # Errors
/// `InvalidInput` if the page's policy allows anything but styles; `NotFound` naming the Debian package if there is no
/// Chromium; `Internal` if it fails or the script answers nothing.
pub fn probe(page: &str, width: u32, height: u32, script: &str) -> Result<String> {
    if !page.contains(POLICY) {
        return Err(Error::invalid("the page has no policy that forbids scripts").advise(POLICY));
    }
    let script = format!(
        "<script data-probe>addEventListener('load', () => {{
            const found = (() => {{ {script} }})();
            const ascii = JSON.stringify(found).replace(/[<>&\\u007f-\\uffff]/g,
                c => '\\\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
            parent.document.querySelector('pre').textContent = ascii;
        }})</script></head>"
    );
    let page = page.replace(POLICY, "script-src 'unsafe-inline'; style-src 'unsafe-inline'");
    let page = page.replace("</head>", &script);
    // Chromium's own windows are never as narrow as a phone.
    let quoted = page.replace('&', "&amp;").replace('"', "&quot;");
    let around = format!(
        "<!DOCTYPE html><meta charset=utf-8><pre>nothing</pre>\
         <iframe width={width} height={height} style=\"border:0\" srcdoc=\"{quoted}\"></iframe>"
    );
    let disk = |e: std::io::Error| Error::internal("no temporary folder").because(e);
    let dir = tempfile::tempdir().map_err(disk)?;
    let file = dir.path().join("around.html");
    fs::write(&file, around).map_err(disk)?;
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
        .args(["--dump-dom", &format!("file://{}", file.display())])
        .output()
        .map_err(|e| {
            Error::new(ErrorKind::NotFound, "chromium does not start")
                .advise("install the Debian package `chromium` (.ci/setup tests)")
                .because(e)
        })?;
    let dump = String::from_utf8_lossy(&output.stdout);
    let found = dump.split_once("<pre>").and_then(|(_, rest)| rest.split_once("</pre>")).map(|(found, _)| found);
    found.filter(|found| output.status.success() && *found != "nothing").map(str::to_owned).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Error::internal(format!("the browser answered nothing: {said}"))
    })
}
