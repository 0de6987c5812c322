//! Where reports go: stdout without panics, files without halves.
//!
//! Not the report's format. A file is written beside its target, flushed to the disk and renamed, so that an old report
//! stays whole until the new one is.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;

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
    // A link stays a link: its target is what is written.
    let target = path.canonicalize();
    let shown = path;
    let path = target.as_deref().unwrap_or(path);
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let write = || -> io::Result<()> {
        // A device or a pipe (`/dev/stdout`) has nothing to be renamed over.
        if path.exists() && !path.is_file() {
            let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
            return file.write_all(bytes).and_then(|()| file.flush());
        }
        let mut file = tempfile::Builder::new().prefix(".atqsim-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        // Temporary files are private; a new report is an ordinary file, and one that was there stays as open as it was.
        if let Ok(old) = std::fs::metadata(path) {
            file.as_file().set_permissions(old.permissions())?;
        } else {
            #[cfg(unix)]
            file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        }
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", shown.display()))
}
