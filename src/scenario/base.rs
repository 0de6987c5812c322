//! Where the files that a scenario names are found: beside it on disk, or among those that are built in.
//!
//! Not the scenario's own text, which the caller has read. Called by the rest of this room.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use super::builtin;
use crate::workload::journey::TraceInput;

/// The longest file that a scenario may be or name (but for logs, which are streamed), in bytes.
pub const FILE_BYTES_MOST: usize = 16 * 1024 * 1024;

/// What relative file names of a scenario are relative to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// A directory: that of the scenario's file.
    Directory(PathBuf),
    /// The data that are built in, for a scenario that is built in itself.
    Builtin,
}

impl Base {
    /// The bytes of the file called `name`.
    ///
    /// # Errors
    /// One clause that says why there are none, without the file's name.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let directory = match self {
            Base::Builtin => {
                return builtin::data(name).map(<[u8]>::to_vec).ok_or_else(|| "is not built in".to_string());
            }
            Base::Directory(directory) => directory,
        };
        let refused = |error: std::io::Error| format!("cannot be read ({error})");
        let path = directory.join(name);
        // A pipe or a device would be read for ever.
        if !std::fs::metadata(&path).map_err(refused)?.is_file() {
            return Err("is no file".to_string());
        }
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(refused)?;
        file.take(FILE_BYTES_MOST as u64 + 1).read_to_end(&mut bytes).map_err(refused)?;
        if bytes.len() > FILE_BYTES_MOST {
            return Err(format!("is longer than the {FILE_BYTES_MOST} bytes that are read"));
        }
        Ok(bytes)
    }

    /// The logs called `names`: their paths, or their bytes where they are built in.
    ///
    /// # Errors
    /// The index of each name that cannot be used, and one clause that says why.
    pub(super) fn logs(&self, names: &[&str]) -> Result<TraceInput, Vec<(usize, String)>> {
        let mut wrong = Vec::new();
        let mut texts = Vec::new();
        let mut paths = Vec::new();
        for (at, name) in names.iter().enumerate() {
            match self {
                Base::Builtin => match builtin::data(name) {
                    Some(bytes) => texts.push((name.to_string(), Arc::from(bytes))),
                    None => wrong.push((at, "is not built in".to_string())),
                },
                Base::Directory(directory) => match std::fs::metadata(directory.join(name)) {
                    Ok(_) => paths.push(directory.join(name)),
                    Err(error) => wrong.push((at, format!("cannot be read ({error})"))),
                },
            }
        }
        match (wrong.is_empty(), self) {
            (false, _) => Err(wrong),
            (true, Base::Builtin) => Ok(TraceInput::Texts(texts)),
            (true, Base::Directory(_)) => Ok(TraceInput::Paths(paths)),
        }
    }
}
