//! Where reports go: stdout without panics, files without halves.
//!
//! Not the report's format. A file is written beside its target, flushed to the disk and renamed, so that an old report
//! stays whole until the new one is.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use tempfile::NamedTempFile;

/// Makes a file-size limit (`ulimit -f`) an error that can be reported, in place of a signal that kills.
///
/// # Errors
/// Where the system does not let the signal be caught.
pub(super) fn survive_file_size_limit() -> anyhow::Result<()> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))
        .context("cannot catch SIGXFSZ, so a file-size limit kills")?;
    Ok(())
}

/// Writes to stdout. A reader that went away (`| head`) is not an error.
///
/// # Errors
/// Anything else that stdout refuses.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    let result = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to stdout"),
    }
}

/// Writes to stderr; there is nobody to tell when that fails.
pub(super) fn complain(text: &str) {
    let mut out = anstream::stderr().lock();
    let _ = writeln!(out, "{}", text.trim_end());
}

/// Writes a file as a whole or not at all.
///
/// # Errors
/// Whatever the file system refuses, with the file's name. An old file of that name is then untouched.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        let mut file = NewFile::begin(path)?;
        file.write_all(bytes)?;
        file.finish()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// A file in the making: what is written shows under its name only when it is finished.
#[derive(Debug)]
pub(super) struct NewFile {
    path: PathBuf,
    to: To,
}

#[derive(Debug)]
enum To {
    /// Beside the target, to be renamed.
    Beside(NamedTempFile),
    /// A device or a pipe (`/dev/stdout`) has nothing to be renamed over.
    Directly(File),
}

impl NewFile {
    /// Nothing of it is written yet.
    ///
    /// # Errors
    /// Whatever the file system refuses.
    pub(super) fn begin(path: &Path) -> io::Result<NewFile> {
        let path = target(path);
        let to = if path.exists() && !path.is_file() {
            To::Directly(OpenOptions::new().write(true).open(&path)?)
        } else {
            To::Beside(tempfile::Builder::new().prefix(".atqsim-").tempfile_in(folder(&path))?)
        };
        Ok(NewFile { path, to })
    }

    /// It is whole: now it has its name.
    ///
    /// # Errors
    /// Whatever the file system refuses. An old file of that name is then untouched.
    pub(super) fn finish(self) -> io::Result<()> {
        let file = match self.to {
            To::Directly(mut file) => return file.flush(),
            To::Beside(file) => file,
        };
        file.as_file().sync_all()?;
        // Temporary files are private; a new report is an ordinary file, and one that was there stays as open as it was.
        if let Ok(old) = std::fs::metadata(&self.path) {
            file.as_file().set_permissions(old.permissions())?;
        } else {
            #[cfg(unix)]
            file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        }
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            To::Beside(file) => file.write(bytes),
            To::Directly(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Beside(file) => file.flush(),
            To::Directly(file) => file.flush(),
        }
    }
}

/// Whether a file may be written there, as far as that can be known without writing it.
///
/// # Errors
/// What forbids it, as the rest of a sentence that begins with the file's name.
pub(super) fn may_be_written(path: &Path) -> Result<(), String> {
    let path = target(path);
    if path.is_dir() {
        return Err("is a directory".into());
    }
    if path.exists() && !path.is_file() {
        return Ok(());
    }
    let folder = folder(&path);
    if !folder.is_dir() {
        return Err(format!("cannot be written: there is no directory {}", folder.display()));
    }
    match tempfile::Builder::new().prefix(".atqsim-").tempfile_in(folder) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("cannot be written: {error}")),
    }
}

/// Which file a name means, whether it exists or not: two names of one file have the same answer.
pub(super) fn file_meant(path: &Path) -> PathBuf {
    let path = target(path);
    let folder = folder(&path).canonicalize();
    match (folder, path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// A link stays a link: its target is what is written.
fn target(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
