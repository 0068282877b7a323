//! `bbans bench` and `bbans models`.

use crate::Folder;
use crate::support::{TINY_SHAPE, idx, tiny_data};

#[test]
fn the_demonstration_runs_without_any_file() {
    let folder = Folder::new();
    let outcome = folder.ok("bench --samples 2 --limit 60 --rivals built-in");
    let text = String::from_utf8(outcome.stdout).unwrap();
    for part in [
        "mnist-binary-small",
        "built in, no real data",
        "60 of 1000",
        "gross",
        "-ELBO",
        "importance-weighted",
        "all 47056 bytes equal",
        "xz -9e",
        "PNG",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert_eq!(outcome.stderr, "", "no progress without a terminal");
}

#[test]
fn figures_add_up() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(500, 1), &TINY_SHAPE, 1));
    let json = folder
        .ok("bench --data x -m tiny.safetensors --json --format 1 --lanes 8 --limit 300 --rivals built-in")
        .stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let data = &json["data"];
    assert_eq!(
        (&data["count"], &data["of"], &data["dims"]),
        (&300.into(), &500.into(), &30.into())
    );
    let figure = |key: &str| json["models"][0][key].as_f64().unwrap();
    let parts = figure("net_bits_per_dim") * 9000.0 / 8.0
        + figure("frame_bytes")
        + figure("initial_bits") / 8.0
        + figure("head_bytes");
    assert!((parts - figure("file_bytes")).abs() < 1e-6);
    // The causes of what the file has over the bound are its sum.
    let causes = ["point", "bins", "masses", "unclean", "draw"];
    let over: f64 = causes
        .map(|cause| figure(&format!("{cause}_bytes")))
        .iter()
        .sum();
    let expected = figure("negative_elbo_bits_per_dim") * 9000.0 / 8.0 + over;
    assert!((expected - figure("net_bits_per_dim") * 9000.0 / 8.0).abs() < 1e-6);
    let error = figure("draw_standard_error_bytes");
    assert!(
        figure("draw_bytes").abs() < 5.0 * error && error < 50.0,
        "{error}"
    );
    assert!(figure("importance_weighted_bits_per_dim") < figure("negative_elbo_bits_per_dim"));
    assert!((figure("gross_bits_per_dim") - 8.0 * figure("file_bytes") / 9000.0).abs() < 1e-9);
    assert!(figure("net_bits_per_dim") < figure("gross_bits_per_dim"));
    assert!((figure("net_bits_per_dim") / figure("negative_elbo_bits_per_dim") - 1.0).abs() < 0.02);
    assert!(figure("negative_elbo_standard_error") < 0.01);
    assert_eq!(json["decoded_and_compared"], true);
    // Every figure that can be expected is there.
    folder.write("unknown.toml", "[[expect]]\nfigure = 'luck'\nmin = 0.0\n");
    let told = folder
        .run("bench --data x -m tiny.safetensors --rivals none --expect unknown.toml")
        .stderr;
    let (_, names) = told.trim().split_once("expected one of ").unwrap();
    for name in names.split(", ") {
        assert!(json["models"][0][name].is_number(), "{name}");
    }
    // Random bits: no rival does better than their number, and the model's break-even is never.
    let (no_rivals, rivals): (Vec<_>, Vec<_>) = json["rivals"]
        .as_array()
        .unwrap()
        .iter()
        .partition(|rival| rival["not_applicable"] == true);
    assert_eq!((no_rivals.len(), rivals.len()), (1, 7));
    for rival in &rivals {
        assert!(
            rival["bytes"].as_u64().unwrap() >= 300 * 30 / 8 / 2,
            "{rival}"
        );
        assert!(rival["tried"].as_u64().unwrap() >= 2, "{rival}");
    }
    let best = rivals.iter().map(|r| r["bits_per_dim"].as_f64().unwrap());
    assert_eq!(
        json["best_rival"]["bits_per_dim"],
        best.fold(f64::INFINITY, f64::min)
    );
}

#[test]
fn several_models_are_ranked_with_the_rivals_and_reported() {
    let folder = Folder::new();
    folder.ok("models mnist-binary-small -o m.safetensors");
    let outcome = folder.ok(
        "bench --limit 40 --samples 1 -m mnist-binary-small -m m.safetensors --rivals built-in \
         --csv f.csv --report r",
    );
    let text = String::from_utf8(outcome.stdout).unwrap();
    assert!(text.contains("one sample: no standard error"), "{text}");
    assert_eq!(text.matches("verified").count(), 2);
    let ranks: Vec<&str> = text
        .lines()
        .skip_while(|l| !l.starts_with("rank"))
        .skip(1)
        .filter(|l| !l.starts_with("   -"))
        .collect();
    assert_eq!(ranks.len(), 9, "{text}");
    let bytes = |line: &&str| -> u64 {
        line.split_whitespace()
            .rev()
            .nth(2)
            .unwrap()
            .parse()
            .unwrap()
    };
    assert!(ranks.iter().map(bytes).is_sorted(), "{text}");
    let csv = String::from_utf8(folder.read("f.csv")).unwrap();
    let columns = |line: &str| line.split(',').count();
    assert_eq!(csv.lines().count(), 10);
    assert!(
        csv.lines()
            .filter(|l| !l.contains('"'))
            .all(|l| columns(l) == 11),
        "{csv}"
    );
    let page = String::from_utf8(folder.read("r/index.html")).unwrap();
    for part in ["<svg", "rank", "most-expensive-2.png", "figures.json"] {
        assert!(page.contains(part), "{part}");
    }
    for name in ["bits-per-dim", "cumulative", "histogram"] {
        assert!(folder.read(&format!("r/{name}.svg")).starts_with(b"<svg"));
        assert!(
            folder
                .read(&format!("r/{name}.png"))
                .starts_with(b"\x89PNG")
        );
    }
    assert!(
        folder
            .read("r/least-expensive-1.png")
            .starts_with(b"\x89PNG")
    );
    folder.fails("bench --limit 40 --csv f.csv", &["f.csv exists"]);
    folder.fails("bench --limit 40 --report r", &["r exists"]);
}

#[test]
fn the_coder_meets_the_truth() {
    let json = Folder::new().ok("bench --truth --json --lanes 4").stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    for row in json["truth"].as_array().unwrap() {
        let off = row["net_over_truth"].as_f64().unwrap() - 1.0;
        assert!(off.abs() < 5e-4, "{row}");
        assert!(row["gross_bits"].as_f64() > row["net_bits"].as_f64());
    }
}

#[test]
fn expectations_are_kept_in_the_notebook_before_the_run_and_judged_after() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(200, 1), &TINY_SHAPE, 1));
    let bench =
        "bench --data x -m tiny.safetensors --rivals none --format 1 --notebook n.jsonl --expect";
    folder.write(
        "good.toml",
        "[[expect]]\nfigure = 'net_bits_per_dim'\nwithin = 0.05\nof = 'negative_elbo_bits_per_dim'\n",
    );
    let text = String::from_utf8(folder.ok(&format!("{bench} good.toml")).stdout).unwrap();
    assert!(text.contains("held"), "{text}");
    folder.write(
        "bad.toml",
        "[[expect]]\nfigure = 'gross_bits_per_dim'\nmax = 0.5\n",
    );
    let outcome = folder.run(&format!("{bench} bad.toml"));
    assert_eq!(outcome.code, Some(1));
    assert!(
        String::from_utf8(outcome.stdout)
            .unwrap()
            .contains("BROKEN")
    );
    assert!(
        outcome
            .stderr
            .contains("1 of the expectations did not hold")
    );
    let records = String::from_utf8(folder.read("n.jsonl")).unwrap();
    let kinds: Vec<String> = records
        .lines()
        .map(|l| {
            serde_json::from_str::<serde_json::Value>(l).unwrap()["kind"]
                .as_str()
                .unwrap()
                .into()
        })
        .collect();
    assert_eq!(kinds, ["expectation", "bench", "expectation", "bench"]);

    let list = String::from_utf8(
        folder
            .ok("notebook --file n.jsonl list --kind bench")
            .stdout,
    )
    .unwrap();
    assert_eq!(list.lines().count(), 2);
    assert!(list.contains("tiny"), "{list}");
    let compared = folder.ok("notebook compare 2 4 --file n.jsonl").stdout;
    let compared = String::from_utf8(compared).unwrap();
    let line = compared
        .lines()
        .find(|l| l.starts_with("models.tiny.file_bytes"))
        .unwrap();
    assert!(line.ends_with("same"), "{line}");
    let shown = folder.ok("notebook show 2 --file n.jsonl").stdout;
    let shown: serde_json::Value = serde_json::from_slice(&shown).unwrap();
    for key in [
        "date", "version", "machine", "data", "models", "settings", "command",
    ] {
        assert!(!shown[key].is_null(), "{key}");
    }
    folder.ok("notebook plot gross_bits_per_dim -o p --file n.jsonl");
    assert!(
        folder
            .read("p/gross_bits_per_dim.png")
            .starts_with(b"\x89PNG")
    );
    folder.fails("notebook show 9 --file n.jsonl", &["no record 9", "4"]);
    folder.fails("notebook plot nothing -o p --file n.jsonl", &["nothing"]);
    folder.fails("notebook", &["no notebook bbans-notebook.jsonl"]);

    // The one that lies in the folder is used without being named.
    folder.write("bbans-notebook.jsonl", "");
    folder.ok("bench --data x -m tiny.safetensors --rivals none");
    folder.ok("train --data x -o mine.safetensors --epochs 1");
    let list = String::from_utf8(folder.ok("notebook").stdout).unwrap();
    assert!(list.contains("bench") && list.contains("train"), "{list}");
    folder.write("bbans-notebook.jsonl", "{}\nnot json\n");
    folder.fails("notebook", &["line 2"]);
}

#[test]
fn expectations_that_are_none_are_refused_before_the_run() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(20, 1), &TINY_SHAPE, 1));
    for (text, expected) in [
        (
            "[[expect]]\nfigure = 'gross_bits_per_dim'\nmaximum = 1\n",
            vec!["line 3", "maximum"],
        ),
        (
            "[[expect]]\nfigure = 'bits'\nmax = 1\n",
            vec!["bits", "gross_bits_per_dim"],
        ),
        (
            "[[expect]]\nfigure = 'file_bytes'\n",
            vec!["file_bytes", "within"],
        ),
        ("[[expect]\n", vec!["line 1"]),
        (
            "[[expect]]\nfigure = 'file_bytes'\nmodel = 'other'\nmax = 1\n",
            vec!["other", "is not measured"],
        ),
    ] {
        folder.write("e.toml", text);
        folder.fails(
            "bench --data x -m tiny.safetensors --rivals none --expect e.toml",
            &expected,
        );
    }
    folder.fails("bench --expect nowhere.toml", &["nowhere.toml"]);
}

#[test]
fn data_of_another_shape_or_grey_are_refused() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(5, 1), &TINY_SHAPE, 1));
    folder.fails("bench --data x", &["[6, 5]", "[28, 28]"]);
    // A file that is no notebook is not written to.
    let data = folder.read("x");
    folder.fails(
        "bench --data x -m tiny.safetensors --rivals none --notebook x",
        &["x is no notebook", "--notebook"],
    );
    assert_eq!(folder.read("x"), data);
    folder.fails(
        "bench --data x -m tiny.safetensors --notebook no/n.jsonl",
        &["no/n.jsonl"],
    );
    folder.fails("bench -m tiny.safetensors", &["--data"]);
    folder.write("none", idx(&tiny_data(0, 1), &TINY_SHAPE, 1));
    folder.fails("bench --data none -m tiny.safetensors", &["no data"]);
    let mut grey = idx(&tiny_data(5, 1), &TINY_SHAPE, 1);
    grey[20] = 9;
    grey[21] = 200;
    folder.write("grey", grey);
    folder.fails(
        "bench --data grey -m tiny.safetensors",
        &["grey", "binarize"],
    );
}

#[test]
fn a_model_is_listed_shown_and_written() {
    let folder = Folder::new();
    let text = |words: &str| String::from_utf8(folder.ok(words).stdout).unwrap();
    assert!(text("models").contains("mnist-binary-small"));
    assert!(text("models mnist-binary-small").contains("bits/dim"));
    assert!(text("models tiny.safetensors").contains("\"bin_precision\": 6"));
    folder.ok("models mnist-binary-small -o m.safetensors");
    assert_eq!(folder.read("m.safetensors"), bbans_models::MODELS[0].bytes);
}
