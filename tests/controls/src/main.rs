//! One planted mistake, by its name: `race`, `use-after-free` or `leak`. `none` is the counter-check.
//!
//! No part of the program. Called by `.ci/sanitizers`, which fails where a sanitizer is silent.

use std::hint::black_box;

/// A count that threads change without any lock.
struct Unguarded(std::cell::UnsafeCell<u64>);

// SAFETY: there is none, on purpose.
unsafe impl Sync for Unguarded {}

static COUNT: Unguarded = Unguarded(std::cell::UnsafeCell::new(0));

fn race() {
    let threads = [(); 2].map(|()| {
        std::thread::spawn(|| {
            for _ in 0..1_000 {
                // SAFETY: there is none, on purpose.
                unsafe { *COUNT.0.get() += 1 };
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
}

fn use_after_free() {
    let freed = Box::into_raw(Box::new(7_u64));
    // SAFETY: there is none in the second line, on purpose.
    unsafe {
        drop(Box::from_raw(freed));
        println!("{}", black_box(freed).read_volatile());
    }
}

fn leak() {
    for _ in 0..100 {
        black_box(Box::into_raw(black_box(Box::new([7_u8; 1_000]))));
    }
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("race") => race(),
        Some("use-after-free") => use_after_free(),
        Some("leak") => leak(),
        Some("none") => {}
        other => panic!("{other:?}: race, use-after-free, leak or none"),
    }
}
