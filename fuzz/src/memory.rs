//! [`Limited`]: an allocator that ends the process where a decoder asks for far too much.
//!
//! libFuzzer's `-malloc_limit_mb` needs a sanitizer's hooks, which stable Rust lacks, and `-rss_limit_mb` does not see
//! memory that is asked for and never touched.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    process::abort,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// All that the decoders may hold at once. Inputs are a few kilobytes.
const LIMIT: usize = 256 << 20;

static HELD: AtomicUsize = AtomicUsize::new(0);

struct Limited;

#[global_allocator]
static LIMITED: Limited = Limited;

fn take(bytes: usize) {
    if HELD.fetch_add(bytes, Relaxed).saturating_add(bytes) > LIMIT {
        HELD.store(0, Relaxed); // the message allocates too
        eprintln!("an allocation of {bytes} bytes goes over the limit of {LIMIT}");
        eprintln!("{}", std::backtrace::Backtrace::force_capture());
        abort();
    }
}

// SAFETY: everything is the system allocator's; only sizes are counted beside it.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.fetch_sub(layout.size(), Relaxed);
        take(size);
        unsafe { System.realloc(at, layout, size) }
    }
}
