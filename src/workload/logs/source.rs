//! Where the bytes of a trace come from, and the refusals before any row is read.
//!
//! Not a reader of rows. A source can be opened again, because a trace looks at the start of each file before it reads
//! them in time order, and starts over when it loops. Called by `trace` only.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::LogFormat;
use crate::problem::{Place, Problem};

/// Most files of one trace.
pub const MAX_FILES: usize = 10_000;

/// Most files that are open at a time. Only files that overlap in time are; daily logs follow each other.
pub const MAX_OPEN: usize = 256;

/// Bytes of a file that tell its format.
const SAMPLE: u64 = 64 * 1024;

/// A file's read buffer. `// in bytes`
const READ_BUFFER: usize = 64 * 1024;

/// A byte stream of any origin.
pub(super) type Input = Box<dyn BufRead + Send>;

/// Something that can be opened, any number of times.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) origin: Origin,
}

/// What opens it.
#[derive(Clone)]
pub(super) enum Origin {
    File(PathBuf),
    Text(Arc<[u8]>),
    #[cfg(test)]
    Made(fn() -> Input),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

impl Source {
    pub(super) fn file(path: &Path) -> Source {
        Source { name: path.display().to_string(), origin: Origin::File(path.to_path_buf()) }
    }

    pub(super) fn text(name: String, text: Vec<u8>) -> Source {
        Source { name, origin: Origin::Text(text.into()) }
    }

    pub(super) fn open(&self) -> io::Result<Input> {
        Ok(match &self.origin {
            Origin::File(path) => Box::new(BufReader::with_capacity(READ_BUFFER, File::open(path)?)),
            Origin::Text(text) => Box::new(Cursor::new(Arc::clone(text))),
            #[cfg(test)]
            Origin::Made(make) => make(),
        })
    }

    /// The format, told by the start of the bytes.
    pub(super) fn format(&self) -> Result<LogFormat, Problem> {
        let mut start = Vec::new();
        self.open()
            .and_then(|input| input.take(SAMPLE).read_to_end(&mut start))
            .map_err(|error| self.unreadable(&error))?;
        LogFormat::detect(&start).ok_or_else(|| self.unknown(&start))
    }

    pub(super) fn unreadable(&self, error: &io::Error) -> Problem {
        self.problem(format!("cannot be read: {error}"), "check the name and the permissions")
    }

    fn unknown(&self, start: &[u8]) -> Problem {
        if start.is_empty() {
            self.problem("the file is empty", "leave it out of the trace")
        } else if start.starts_with(b"\x1f\x8b") || start.starts_with(b"PK\x03\x04") {
            self.problem("the file is compressed", "unpack it first")
        } else if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
            self.problem("the file is UTF-16 text", "save it as UTF-8 or ANSI text")
        } else if start.contains(&0) {
            self.problem("the file is binary, not a log", "leave it out of the trace")
        } else {
            self.problem(
                "the file is in none of the formats W3C extended, NCSA common, CSV",
                "a W3C log needs its `#Fields:` line, a CSV trace a header with `time` and `service`; \
                 set the server's log format to W3C extended",
            )
        }
    }

    pub(super) fn problem(&self, message: impl Into<String>, remedy: &str) -> Problem {
        Problem::error(Place::Named(self.name.clone()), message, remedy)
    }
}

/// The files that `paths` name: each file itself, and of a directory its regular files by name, without its
/// subdirectories.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<Source>, Vec<Problem>> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        let named = Source::file(path);
        match fs::metadata(path) {
            Err(error) => problems.push(named.unreadable(&error)),
            Ok(data) if data.is_dir() => match files_in(path) {
                Err(error) => problems.push(named.unreadable(&error)),
                Ok(files) if files.is_empty() => {
                    problems.push(named.problem("the directory has no files", "name the directory that has the logs"));
                }
                Ok(files) => sources.extend(files.iter().map(|file| Source::file(file))),
            },
            Ok(data) if data.is_file() => sources.push(named),
            // A trace is read more than once, which a pipe cannot be.
            Ok(_) => problems.push(named.problem("is neither a file nor a directory", "save the log as a file")),
        }
    }
    if problems.is_empty() { Ok(sources) } else { Err(problems) }
}

fn files_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if fs::metadata(&path)?.is_file() {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            break;
        }
    }
    files.sort();
    Ok(files)
}
