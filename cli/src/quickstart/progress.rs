//! [`Progress`]: a bar with the time left, on long input and a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Input that is read before anybody would look at a bar.
const SHORT: u64 = 8 << 20;

/// A progress bar over bytes, or nothing.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar over `bytes` bytes; hidden if they are few, or standard error is no terminal.
    pub(crate) fn new(bytes: u64, phase: &'static str) -> Self {
        let target = if bytes < SHORT { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(bytes), target).with_message(phase);
        if let Ok(style) = ProgressStyle::with_template(
            "{bar:30} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left: {msg}",
        ) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// `bytes` more are done.
    pub(crate) fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// What is done from now on.
    pub(crate) fn phase(&self, phase: &'static str) {
        self.0.set_message(phase);
    }

    /// What is done so far says nothing about the time that is left.
    pub(crate) fn begin(&self, phase: &'static str) {
        self.phase(phase);
        self.0.reset_eta();
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
