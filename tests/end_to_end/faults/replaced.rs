//! An input that is replaced or changed while it is read is not removed.

use std::fs;

use super::signals::{kill, paused};
use super::with_data;

#[test]
fn an_input_that_is_no_longer_the_one_that_was_read_is_kept() {
    for (command, input, output) in [("compress", "x", "x.bbans"), ("decompress", "y.bbans", "y")] {
        for how in ["replaced", "changed"] {
            let folder = with_data(100_000);
            fs::copy(folder.path("x.bbans"), folder.path("y.bbans")).unwrap();
            fs::remove_file(folder.path("x.bbans")).unwrap();
            let before = folder.read(input);
            let words = format!("{command} --rm {input} -m tiny.safetensors");
            let child = paused(&folder, &words);
            if how == "replaced" {
                folder.write("new", "what someone else wrote meanwhile");
                fs::rename(folder.path("new"), folder.path(input)).unwrap();
            } else {
                let file = fs::OpenOptions::new().append(true).open(folder.path(input));
                file.unwrap()
                    .set_modified(std::time::SystemTime::UNIX_EPOCH)
                    .unwrap();
            }
            let now = folder.read(input);
            kill(&child, "-CONT");
            let outcome = child.wait_with_output().unwrap();
            let told = String::from_utf8(outcome.stderr).unwrap();
            assert_eq!(outcome.status.code(), Some(1), "{words}: {told}");
            assert!(told.contains("changed or replaced"), "{told}");
            assert_eq!(folder.read(input), now, "{words}");
            // The output holds what was read.
            let again = format!(
                "{} {output} -o again -m tiny.safetensors",
                match command {
                    "compress" => "decompress",
                    _ => "compress",
                }
            );
            folder.ok(&again);
            assert!(folder.read("again") == before, "{words}");
        }
    }
}
