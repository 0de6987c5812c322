//! The front-end whose responses hold their threads while they are written (KB 823857).
//!
//! Not what a response costs (`models::write_buffers`). Made by `scenario`, which also makes the commands' responses with
//! it; the engines count with it what was sent, and `report` tells it.

use std::sync::Arc;

use crate::ids::ClassId;
use crate::models::write_buffers::Transfer;
use crate::models::write_buffers::spec::WriteBuffersSpec;
use crate::policy::registry::ValueId;
use crate::time::Nanos;
use crate::workload::response::Sender;

/// Both protocols of a front-end.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteBuffersPlan {
    /// Those that the scenario has, POP3 first.
    pub services: Vec<FrontEnd>,
    /// Memory of the front-end, in bytes.
    pub memory_bytes: u64,
}

/// One protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct FrontEnd {
    /// `pop3` or `imap4`.
    pub name: &'static str,
    /// Its class on the pool.
    pub class: ClassId,
    /// Its registry value.
    pub value: ValueId,
    /// Software, registry value, link.
    pub spec: Arc<WriteBuffersSpec>,
}

impl WriteBuffersPlan {
    /// The protocols by the names of their sections, with their registry values.
    pub const SERVICES: [(&'static str, ValueId); 2] =
        [("pop3", ValueId::Pop3MaxBufferSize), ("imap4", ValueId::Imap4MaxBufferSize)];
}

/// Says how long responses hold their thread.
#[derive(Clone, Debug, PartialEq)]
pub struct Writer(pub Arc<WriteBuffersSpec>);

impl Sender for Writer {
    fn holds(&self, bytes: u64) -> Nanos {
        Transfer::of(&self.0, bytes).thread_held
    }
}
