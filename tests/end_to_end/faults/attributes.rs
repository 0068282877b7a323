//! Outputs have their input's mode and times, and are never open to more people.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::signals::{kill, paused};
use super::{with_data, with_png_set};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set(path: &Path, mode: u32, time: SystemTime) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let times = fs::FileTimes::new().set_modified(time).set_accessed(time);
    fs::File::open(path).unwrap().set_times(times).unwrap();
}

fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

#[test]
fn mode_and_time_go_with_the_data_both_ways() {
    for bits in [0o600, 0o640, 0o664, 0o444] {
        let folder = with_data(40);
        fs::remove_file(folder.path("x.bbans")).unwrap();
        set(&folder.path("x"), bits, long_ago());
        folder.ok("compress --rm x -q -m tiny.safetensors");
        let check = |name: &str| {
            assert_eq!(mode(&folder.path(name)), bits, "{name}");
            let time = fs::metadata(folder.path(name)).unwrap().modified().unwrap();
            assert_eq!(time, long_ago(), "{name}");
        };
        check("x.bbans");
        folder.ok("decompress --rm x.bbans -m tiny.safetensors");
        check("x");
    }
}

#[test]
fn a_set_of_png_files_has_them_too() {
    let folder = with_png_set(12);
    set(&folder.path("set.bbans"), 0o640, long_ago());
    folder.ok("decompress --rm set.bbans -m tiny.safetensors");
    assert_eq!(mode(&folder.path("set")), 0o750);
    let mut paths = vec![folder.path("set")];
    paths.extend((0..12).map(|i| folder.path(&format!("set/{i:05}.png"))));
    for path in &paths {
        assert_eq!(path.metadata().unwrap().modified().unwrap(), long_ago());
        assert!(path.is_dir() || mode(path) == 0o640);
    }
    fs::set_permissions(folder.path("set"), fs::Permissions::from_mode(0o700)).unwrap();
    folder.ok("compress set -q -m tiny.safetensors");
    assert_eq!(mode(&folder.path("set.bbans")), 0o600);
    // No file of a folder is told to more people than before.
    fs::set_permissions(folder.path("set"), fs::Permissions::from_mode(0o755)).unwrap();
    set(&folder.path("set/00003.png"), 0o604, long_ago());
    folder.ok("compress -f set -q -m tiny.safetensors");
    assert_eq!(mode(&folder.path("set.bbans")), 0o600);
    // Nor one of a folder in it.
    set(&folder.path("set/00003.png"), 0o644, long_ago());
    fs::create_dir(folder.path("set/sub")).unwrap();
    fs::rename(folder.path("set/00004.png"), folder.path("set/sub/x.png")).unwrap();
    for bits in [0o640, 0o600] {
        set(&folder.path("set/sub/x.png"), bits, long_ago());
        folder.ok("compress -f set -q -m tiny.safetensors");
        assert_eq!(mode(&folder.path("set.bbans")), bits);
    }
}

#[test]
fn a_mode_that_lets_nobody_write_is_none_in_the_way() {
    let folder = with_png_set(3);
    for bits in [0o400, 0o000] {
        let mode_of_input = fs::Permissions::from_mode(bits);
        fs::set_permissions(folder.path("set.bbans"), mode_of_input).unwrap();
        if bits == 0 && fs::read(folder.path("set.bbans")).is_err() {
            continue;
        }
        folder.ok("decompress set.bbans -o out -m tiny.safetensors");
        assert_eq!(mode(&folder.path("out")), bits | (bits & 0o444) >> 2);
        fs::set_permissions(folder.path("out"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::remove_dir_all(folder.path("out")).unwrap();
    }
}

#[test]
fn what_is_private_is_private_from_the_first_byte() {
    let folder = with_data(100_000);
    fs::remove_file(folder.path("x.bbans")).unwrap();
    set(&folder.path("x"), 0o600, long_ago());
    let mut child = paused(&folder, "compress x -q -m tiny.safetensors");
    let names = folder.names();
    let partial = names.iter().find(|n| n.ends_with(".part")).unwrap();
    assert_eq!(mode(&folder.path(partial)), 0o600);
    kill(&child, "-CONT");
    assert!(child.wait().unwrap().success());
    fs::rename(folder.path("x.bbans"), folder.path("y.bbans")).unwrap();
    let set = with_png_set(2000);
    fs::set_permissions(set.path("set.bbans"), fs::Permissions::from_mode(0o600)).unwrap();
    for (folder, input, private) in [(&folder, "y.bbans", 0o600), (&set, "set.bbans", 0o700)] {
        let mut child = paused(folder, &format!("decompress {input} -m tiny.safetensors"));
        let names = folder.names();
        let partial = names.iter().find(|n| n.ends_with(".part")).unwrap();
        assert_eq!(mode(&folder.path(partial)), private, "{input}");
        kill(&child, "-CONT");
        assert!(child.wait().unwrap().success());
    }
    // Without an input's mode, as the umask says.
    let outcome = folder.sh("umask 027; $BBANS compress -o z -m tiny.safetensors < x");
    assert_eq!(outcome.code, Some(0));
    assert_eq!(mode(&folder.path("z")), 0o640);
}

/// With an access control list the group's bits say what anyone in the list may do at most.
#[cfg(target_os = "linux")]
#[test]
fn a_list_of_people_is_not_made_a_group() {
    let folder = with_data(40);
    fs::remove_file(folder.path("x.bbans")).unwrap();
    fs::create_dir(folder.path("shared")).unwrap();
    let made =
        folder.sh("chmod 600 x && setfacl -m u:1234:rw x && setfacl -d -m u:1234:rwx shared");
    if made.code != Some(0) {
        crate::support::skipped("it needs setfacl, and a file system that has lists");
        return;
    }
    folder.ok("compress x -q -m tiny.safetensors");
    assert_eq!(mode(&folder.path("x.bbans")), 0o600);
    fs::set_permissions(folder.path("x.bbans"), fs::Permissions::from_mode(0o640)).unwrap();
    folder.ok("decompress x.bbans -o shared/x -m tiny.safetensors");
    let list = String::from_utf8(folder.sh("getfacl shared/x").stdout).unwrap();
    assert!(!list.contains("1234"), "{list}");
    assert_eq!(mode(&folder.path("shared/x")), 0o640);
}
