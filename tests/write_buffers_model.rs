//! The model of write buffers through its public door, without engines: tables of the published numbers, transfers that
//! are worked out by hand, laws, and a second model that goes from nanosecond to nanosecond.

mod write_buffers_model {
    mod by_hand;
    mod laws;
    mod tables;
    mod ticks;

    use atqsim::models::write_buffers::spec::{Assumptions, Link, Software, Version, WriteBuffersSpec};
    use atqsim::time::Nanos;

    /// A front-end of Exchange 2003 with this value, on a link without limits but its latency.
    pub(crate) fn front_end(max_buffer_size: u32, latency: Nanos) -> WriteBuffersSpec {
        WriteBuffersSpec {
            software: Software { version: Version::Exchange2003, is_front_end: true },
            max_buffer_size: Some(max_buffer_size),
            link: Link { latency, bits_per_second: None },
            assumptions: Assumptions::default(),
        }
    }

    /// The mean message of the published IMAP4 and POP3 loads (aa998453, aa997839), in bytes.
    pub(crate) const MESSAGE: u64 = 26 << 10;
}
