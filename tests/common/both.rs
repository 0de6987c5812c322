//! Each test on both ways of calling threads.
//!
//! Not a helper of the command-line tests (`mod.rs`). Used by the pool's tests.

/// Runs each function, which takes a [`atqsim::pool::Calls`], as a test with throttled and as one with eager calls.
macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod throttled {
            $(#[test]
            fn $name() {
                super::$name(super::Calls::Throttled);
            })*
        }
        mod eager {
            $(#[test]
            fn $name() {
                super::$name(super::Calls::Eager);
            })*
        }
    };
}
