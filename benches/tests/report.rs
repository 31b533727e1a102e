//! Reports as files and in a terminal, and two of them compared.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod sample;

use std::fs;

use statehold_benches::report::{Report, SCHEMA, Verdict, compare};
use statehold_core::ErrorKind;
use tempfile::TempDir;

#[test]
fn a_report_is_read_as_it_was_written() {
    let dir = TempDir::new().unwrap();
    for report in [sample::report(), sample::empty()] {
        let place = dir.path().join("deep/er");
        report.write(&place).unwrap();
        assert_eq!(Report::read(&place).unwrap(), report);
        assert_eq!(Report::read(&place.join("report.json")).unwrap(), report);
        assert!(place.join("report.html").is_file());
    }
}

#[test]
fn what_is_no_report_is_told() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("report.json");
    let refused = || {
        let error = Report::read(dir.path()).unwrap_err();
        assert!(error.advice().is_some(), "{error}");
        error.kind()
    };
    assert_eq!(refused(), ErrorKind::NotFound);
    fs::write(&file, "{}").unwrap();
    assert_eq!(refused(), ErrorKind::InvalidInput);
    // A newer layout need not have a single field that this one knows.
    fs::write(&file, format!("{{\"schema\": {}, \"version\": \"9.0.0\"}}", SCHEMA + 1)).unwrap();
    assert_eq!(refused(), ErrorKind::Unsupported);
    assert!(Report::read(dir.path()).unwrap_err().to_string().contains("9.0.0"));
    fs::write(dir.path().join("a file"), "").unwrap();
    let error = sample::empty().write(&dir.path().join("a file")).unwrap_err();
    assert_eq!((error.kind(), error.advice().is_some()), (ErrorKind::InvalidInput, true), "{error}");
}

#[test]
fn a_terminal_is_told_what_was_missed_and_obeys_no_name() {
    let mut report = sample::report();
    report.rows[0].store = "a\u{1b}[2Jb".to_owned();
    let text = report.text();
    assert!(!text.contains('\u{1b}') && text.contains("a\u{241b}[2Jb"), "{text}");
    assert!(text.ends_with("\n2 of 8 targets missed\n"), "{text}");
    let missed = text.find("MISSED").unwrap();
    assert!(text.find(" met ").is_none_or(|met| missed < met), "{text}");
}

#[test]
fn only_what_is_beyond_threshold_and_noise_has_changed() {
    let old = sample::report();
    let mut new = old.clone();
    // Twice the time; 2 % more; a third more, but with repetitions as fast as before; half of it.
    for (row, times) in new.rows.iter_mut().zip([2.0, 1.02, 1.3, 0.5]) {
        for seconds in [&mut row.seconds.median, &mut row.seconds.min, &mut row.seconds.max] {
            *seconds *= times;
        }
    }
    new.rows[2].seconds.min = old.rows[2].seconds.min;
    let removed = new.rows.pop().unwrap();
    new.rows[5].side = "another".to_owned();
    new.machine.processors = 64;
    let comparison = compare(&old, &new, 5.0);
    assert_eq!((comparison.slower(), comparison.faster()), (1, 1));
    let (first, last) = (&comparison.rows[0], comparison.rows.last().unwrap());
    assert_eq!((first.verdict, first.key.row.as_str()), (Verdict::Slower, old.rows[0].row.as_str()));
    assert!((first.change + 50.0).abs() < 1e-6 && (last.change - 100.0).abs() < 1e-6, "{first:?} {last:?}");
    assert_eq!(last.verdict, Verdict::Faster);
    assert_eq!((comparison.only_old.len(), comparison.only_new.len()), (2, 1));
    assert!(comparison.only_old.iter().any(|row| row.row == removed.row));
    assert!(comparison.warnings.iter().any(|warning| warning.contains("machines differ")), "{:?}", comparison.warnings);
    assert!(comparison.text().contains("1 slower, 1 faster"));
    // A report beside itself has not changed at all.
    assert!(compare(&old, &old, 0.0).rows.iter().all(|row| row.verdict == Verdict::Same));
}
