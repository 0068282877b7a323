//! The work of `bbans data`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};

use super::Args;
use super::sets::{MNIST_FILES, Published};
use crate::support::terminal::stdout;
use crate::support::{data, hex, progress};

/// No published file is larger.
const MAX_BYTES: u64 = 1 << 28;

pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = args.folder.clone().or_else(data::folder).with_context(|| {
        format!(
            "no data folder: set {} or give --folder",
            data::FOLDER_VARIABLE
        )
    })?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for file in MNIST_FILES {
        let path = folder.join(file.name);
        if digest(&path).is_ok_and(|d| d == file.sha256) {
            writeln!(stdout()?, "{}: there already", path.display())?;
            continue;
        }
        fetch(args, file, &path)?;
        writeln!(
            stdout()?,
            "{}: downloaded, contents as published",
            path.display()
        )?;
    }
    Ok(())
}

/// Tries the addresses in turn; the file takes its name once its contents are right.
fn fetch(args: &Args, file: &Published, path: &Path) -> Result<()> {
    let bases: Vec<&str> = match &args.url {
        Some(url) => vec![url.trim_end_matches('/')],
        None => file.bases.to_vec(),
    };
    let partial = path.with_file_name(format!("{}.part", file.name));
    let mut failures = Vec::new();
    for base in bases {
        let url = format!("{base}/{}", file.name);
        match attempt(&url, &partial, file) {
            Ok(()) => {
                return fs::rename(&partial, path)
                    .with_context(|| format!("cannot write {}", path.display()));
            }
            Err(e) => failures.push(format!("{url}: {e:#}")),
        }
    }
    bail!(
        "{} could not be downloaded; {}",
        file.name,
        failures.join("; ")
    )
}

fn attempt(url: &str, partial: &Path, file: &Published) -> Result<()> {
    let have = fs::metadata(partial).map_or(0, |m| m.len());
    if download(url, partial, have)? {
        let found = digest(partial);
        if found.as_ref().is_ok_and(|d| d == file.sha256) {
            return Ok(());
        }
        fs::remove_file(partial)?;
        // What was there before may have been of another file: once more from its start.
        if have == 0 || !download(url, partial, 0)? {
            let found = found.unwrap_or_else(|e| e.to_string());
            bail!(
                "the contents have SHA-256 {found}, expected {}",
                file.sha256
            );
        }
        let found = digest(partial)?;
        if found != file.sha256 {
            fs::remove_file(partial)?;
            bail!(
                "the contents have SHA-256 {found}, expected {}",
                file.sha256
            );
        }
        return Ok(());
    }
    bail!("the connection ended early; the same command goes on where it stopped")
}

/// Appends what is missing to `partial`, of which `have` bytes are there. Whether it came to its end.
fn download(url: &str, partial: &Path, have: u64) -> Result<bool> {
    let mut request = ureq::get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = match request.call() {
        // Nothing is missing.
        Err(ureq::Error::StatusCode(416)) => return Ok(true),
        response => response.map_err(|e| anyhow!("{e}"))?,
    };
    let appending = response.status() == 206;
    let start = if appending { have } else { 0 };
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .append(appending)
        .truncate(!appending)
        .open(partial)?;
    let length = response
        .headers()
        .get("content-length")
        .and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let bar = match length {
        Some(n) => progress::styled(
            ProgressBar::new(start + n),
            "{wide_bar} {bytes}/{total_bytes} {eta}",
        ),
        None => ProgressBar::no_length(),
    };
    bar.set_position(start);
    let mut body = response.into_body().into_reader().take(MAX_BYTES);
    let mut buffer = vec![0; 1 << 16];
    let mut received = 0;
    loop {
        match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                file.write_all(&buffer[..n])?;
                received += n as u64;
                bar.inc(n as u64);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Ok(false),
        }
    }
    bar.finish_and_clear();
    file.sync_all()?;
    Ok(length.is_none_or(|n| n == received))
}

/// SHA-256 of a file's contents, without a gzip around them, in hexadecimal.
fn digest(path: &Path) -> Result<String> {
    let mut start = Vec::new();
    File::open(path)?.take(2).read_to_end(&mut start)?;
    let file = BufReader::new(File::open(path)?);
    let mut contents: Box<dyn Read> = match start.as_slice() {
        [0x1f, 0x8b] => Box::new(MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let mut hasher = Sha256::new();
    io::copy(&mut contents, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}
