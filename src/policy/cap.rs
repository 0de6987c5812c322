//! The cap: how many threads of the pool one heavy SMTP work queue may hold or have asked for.
//!
//! Not what happens at the cap (`dispatch`) and not the size of the pool (`sizing`). Called by `sizing` and `dispatch`.

/// The most threads that one heavy queue requests of a pool of `size` threads: `percent` of them, rounded down, at
/// least 1.
///
/// `percent` is `MaxPercentPoolThreads`, in [1, 100]; larger ones are refused before a pool is shaped, and are taken
/// as 100 here. A `size` of 0 gives 0: no thread, no cap.
// ATQ: "the maximum percentage of ATQ threads that each queue will request" (KB 281868).
// Guess: per cent of the configured maximum size, never of the threads alive at the moment, rounded down, and at
// least 1, since a queue with no thread would never move. Nothing published says.
#[must_use]
pub fn heavy_queue_cap(size: u32, percent: u32) -> u32 {
    let threads = u64::from(size) * u64::from(percent.min(100)) / 100;
    // In [0, size], so it fits.
    (threads as u32).max(1).min(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_is_a_percentage_rounded_down_and_at_least_one() {
        let table = [
            (20, 90, 18),
            (44, 22, 9),
            (80, 22, 17),
            (10, 90, 9),
            (223, 2, 4),
            (1, 1, 1),
            (99, 1, 1),
            (100, 1, 1),
            (200, 1, 2),
            (256, 100, 256),
            (20, 0, 1),
            (20, 140, 20),
            (0, 90, 0),
            (u32::MAX, 100, u32::MAX),
            (u32::MAX, u32::MAX, u32::MAX),
            (u32::MAX, 50, u32::MAX / 2),
        ];
        for (size, percent, cap) in table {
            assert_eq!(heavy_queue_cap(size, percent), cap, "{percent} % of {size}");
        }
    }
}
