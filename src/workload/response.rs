//! How long a response holds its thread: its bytes are drawn, and what sends them says how long they take.
//!
//! Not what sends them (`models::write_buffers`, by way of `plan`). The bytes of an item are those of its draws alone, so
//! every variant sends the same. Called by [`super::distribution`] and by [`super::Workload::response`].

use std::fmt::Debug;
use std::sync::Arc;

use super::distribution::Distribution;
use crate::rng::Stream;
use crate::time::Nanos;

/// What sends responses.
pub trait Sender: Debug + Send + Sync {
    /// How long a response of so many bytes holds its thread.
    fn holds(&self, bytes: u64) -> Nanos;
}

/// Draws for the mean of what is not constant: its standard error is then about 1.6 % of the standard deviation.
const DRAWS: u32 = 4_096;

/// A response of random size on its way.
#[derive(Clone, Debug)]
pub struct Response {
    /// A byte is a nanosecond.
    bytes: Box<Distribution>,
    by: Arc<dyn Sender>,
    mean_ns: f64,
}

impl Response {
    /// `bytes` draws the size, a byte being a nanosecond.
    #[must_use]
    pub fn new(bytes: Distribution, by: Arc<dyn Sender>) -> Response {
        let mean_ns = match &bytes {
            Distribution::Constant(bytes) => by.holds(bytes.0).0 as f64,
            drawn => {
                // The time is no straight line of the bytes, so the mean of one says little of that of the other.
                let mut stream = Stream::seeded(u64::from(DRAWS));
                (0..DRAWS).map(|_| by.holds(drawn.draw(&mut stream).0).0 as f64).sum::<f64>() / f64::from(DRAWS)
            }
        };
        Response { bytes: Box::new(bytes), by, mean_ns }
    }

    /// The sizes; a byte is a nanosecond.
    #[must_use]
    pub fn sizes(&self) -> &Distribution {
        &self.bytes
    }

    /// One size.
    #[must_use]
    pub fn bytes(&self, stream: &mut Stream) -> u64 {
        self.bytes.draw(stream).0
    }

    /// How long a response of a random size holds its thread.
    pub(super) fn draw(&self, stream: &mut Stream) -> Nanos {
        self.by.holds(self.bytes(stream))
    }

    /// The mean of that in nanoseconds; of 4,096 draws, unless the size is constant.
    #[must_use]
    pub fn mean_ns(&self) -> f64 {
        self.mean_ns
    }
}

impl PartialEq for Response {
    /// Two senders are the same if they say the same of themselves.
    fn eq(&self, other: &Response) -> bool {
        self.bytes == other.bytes && format!("{:?}", self.by) == format!("{:?}", other.by)
    }
}
