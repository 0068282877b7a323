//! Downloading, against a server on this machine that serves the real files.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::shared;
use crate::{Folder, bbans};

/// Serves a folder of files; the first `cut` answers end in the middle.
fn serve(root: PathBuf, cut: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/some/base/", listener.local_addr().unwrap());
    let resumed = Arc::new(AtomicUsize::new(0));
    let count = resumed.clone();
    std::thread::spawn(move || {
        for (i, stream) in listener.incoming().enumerate() {
            answer(stream.unwrap(), &root, i < cut, &count);
        }
    });
    (url, resumed)
}

fn answer(mut stream: TcpStream, root: &std::path::Path, cut: bool, resumed: &AtomicUsize) {
    let mut lines = BufReader::new(stream.try_clone().unwrap())
        .lines()
        .map_while(Result::ok);
    let Some(request) = lines.next() else { return };
    let name = request
        .split(' ')
        .nth(1)
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let range = lines.take_while(|l| !l.is_empty()).find_map(|l| {
        l.to_ascii_lowercase()
            .strip_prefix("range: bytes=")?
            .strip_suffix('-')?
            .parse::<usize>()
            .ok()
    });
    let Ok(content) = fs::read(root.join(name)) else {
        let _ = stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
    };
    let start = range.unwrap_or(0).min(content.len());
    let status = if range.is_some() {
        "206 Partial Content"
    } else {
        "200 OK"
    };
    resumed.fetch_add(usize::from(start > 0), Ordering::SeqCst);
    let body = &content[start..];
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let sent = if cut { body.len() / 2 } else { body.len() };
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&body[..sent]));
}

#[test]
fn mnist_is_downloaded_checked_and_resumed() {
    let (Some(mnist), Some(binarized)) = (shared("data/mnist"), shared("data/binarized_mnist"))
    else {
        return;
    };
    let folder = Folder::new();
    let root = folder.path("server");
    fs::create_dir(&root).unwrap();
    for name in ["train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"] {
        fs::copy(mnist.join(name), root.join(name)).unwrap();
    }
    for part in ["train", "valid", "test"] {
        let mut text = Vec::new();
        let name = format!("binarized_mnist_{part}.amat");
        let gz = fs::File::open(binarized.join(format!("{name}.gz"))).unwrap();
        flate2::read::MultiGzDecoder::new(gz)
            .read_to_end(&mut text)
            .unwrap();
        fs::write(root.join(name), text).unwrap();
    }
    let (url, resumed) = serve(root.clone(), 1);
    let cut = folder.run(&format!("data mnist --folder d --url {url}"));
    assert_eq!(cut.code, Some(1));
    assert!(
        cut.stderr.contains("goes on where it stopped"),
        "{}",
        cut.stderr
    );
    folder.ok(&format!("data mnist --folder d --url {url}"));
    assert_eq!(
        resumed.load(Ordering::SeqCst),
        1,
        "the second half alone was sent"
    );
    assert_eq!(
        fs::read_dir(folder.path("d")).unwrap().count(),
        5,
        "five files and no partial one"
    );
    let again = folder
        .ok(&format!("data mnist --folder d --url {url}"))
        .stdout;
    assert_eq!(
        String::from_utf8(again)
            .unwrap()
            .matches("there already")
            .count(),
        5
    );

    // What was downloaded is what `bench` takes.
    let output = bbans()
        .env("BBANS_DATA", folder.path("d"))
        .args(["bench", "--limit", "20", "--samples", "1"])
        .output()
        .unwrap();
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("20 of 10000")
    );

    // Wrong contents are refused.
    fs::write(root.join("binarized_mnist_test.amat"), "0 1\n").unwrap();
    fs::remove_file(folder.path("d/binarized_mnist_test.amat")).unwrap();
    let wrong = folder.run(&format!("data mnist --folder d --url {url}"));
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("SHA-256"), "{}", wrong.stderr);
    assert_eq!(fs::read_dir(folder.path("d")).unwrap().count(), 4);
    fs::remove_file(root.join("binarized_mnist_test.amat")).unwrap();
    let missing = folder.run(&format!("data mnist --folder d --url {url}"));
    assert!(missing.stderr.contains("404"), "{}", missing.stderr);
}
