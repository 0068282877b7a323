//! `bbans compare`.

use crate::Folder;
use crate::support::{TINY_SHAPE, golden, idx, tiny_data};

fn json(folder: &Folder, command: &str) -> serde_json::Value {
    serde_json::from_slice(&folder.ok(command).stdout).unwrap()
}

fn named(code: &serde_json::Value) -> &str {
    code["code"].as_str().unwrap()
}

/// Whether a code sends a draw of q: for what it chooses itself neither KL nor the bound holds.
fn draws(code: &serde_json::Value) -> bool {
    !named(code).starts_with("point code") && !named(code).starts_with("mode of q")
}

#[test]
fn every_code_sends_every_image_at_its_price() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(60, 1), &TINY_SHAPE, 1));
    let command = "compare model --data x -m tiny.safetensors --limit 40 --csv rows.csv";
    let one = json(&folder, &format!("{command} --plots p --json --threads 1"));
    assert_eq!(one["count"], 40);
    let figure = |key: &str| one[key].as_f64().unwrap();
    let bound = figure("bound_kl_bits") + figure("bound_reconstruction_bits");
    assert!((figure("bits_back_net_bits") / bound - 1.0).abs() < 0.1);
    assert!(figure("bits_back_alone_bits") > figure("bits_back_chain_bits"));
    // No draw of z takes less than about KL, whatever the code.
    let codes = one["two_part"].as_array().unwrap();
    assert_eq!(codes.len(), 10);
    for code in codes.iter().filter(|code| draws(code)) {
        let part_1 = code["part_1_bits"].as_f64().unwrap();
        assert!(part_1 > 0.9 * figure("kl_bits"), "{code}");
        let bound = code["part_1_bound_bits"].as_f64();
        assert!(bound.is_none_or(|bound| part_1 < bound), "{code}");
    }
    let of = |name: &str| codes.iter().find(|code| named(code).starts_with(name));
    assert!(of("ring toss code").unwrap()["part_1_bound_bits"].is_number());
    // A bound is of what is sent by candidates, and is not shown where much is beyond the budget.
    let none = json(
        &folder,
        "compare model --data x -m tiny.safetensors --limit 40 --budget 1 --json",
    );
    let mut without = 0;
    for code in none["two_part"].as_array().unwrap() {
        match code["part_1_bound_bits"].as_f64() {
            Some(bound) => assert!(code["part_1_bits"].as_f64().unwrap() < bound, "{code}"),
            None => without += 1,
        }
    }
    let always = codes
        .iter()
        .filter(|code| code["part_1_bound_bits"].is_null());
    assert!(without > always.count());
    // Points need no bits to begin with.
    let point = of("point code").unwrap()["total_bits"].as_f64().unwrap();
    assert!(point < figure("bits_back_alone_bits"));
    // A row for each image and code, and two of bits-back.
    let rows = String::from_utf8(folder.read("rows.csv")).unwrap();
    assert_eq!(rows.lines().count(), 1 + 40 * 12);
    let plot = String::from_utf8(folder.read("p/cumulative.svg")).unwrap();
    assert!(plot.contains("bits-back, one chain, gross"));
    assert!(folder.read("p/cumulative.png").starts_with(b"\x89PNG"));

    // Threads change nothing but the times.
    let two = json(&folder, &format!("{command} --json --threads 2 --force"));
    for (one, two) in codes.iter().zip(two["two_part"].as_array().unwrap()) {
        assert_eq!(one["total_bits"], two["total_bits"]);
        assert_eq!(one["candidates"], two["candidates"]);
    }
    folder.fails(command, &["rows.csv", "exists"]);
    folder.fails(
        &format!("{command} -f --plots p"),
        &["p", "no empty folder"],
    );
    folder.fails(
        &format!("{} --json --csv -", command.replace(" --csv rows.csv", "")),
        &["--csv -"],
    );
    let alone = folder.ok(&format!(
        "{} --csv -",
        command.replace(" --csv rows.csv", "")
    ));
    let rows = String::from_utf8(alone.stdout).unwrap();
    assert!(rows.starts_with("image,code,") && rows.lines().count() == 1 + 40 * 12);
}

/// Hierarchies, group by group, and bins of other masses.
#[test]
fn models_of_all_kinds_of_latents_are_compared() {
    let folder = Folder::new();
    for name in ["grey/hierarchy", "graphs/far"] {
        let file = golden().join(name).with_extension("safetensors");
        let model = bbans::VaeModel::from_bytes(&std::fs::read(&file).unwrap()).unwrap();
        let data = bbans::sample(&model, 30, 1, 0).unwrap();
        folder.write("x", idx(&data, &TINY_SHAPE, 1));
        let command = format!("compare model --data x -m {} --json", file.display());
        let found = json(&folder, &command);
        // No code of draws pays less than the bound.
        let bits = |key: &str| found[key].as_f64().unwrap();
        let bound = bits("bound_kl_bits") + bits("bound_reconstruction_bits");
        let codes = found["two_part"].as_array().unwrap();
        assert_eq!(codes.len(), 10, "{name}");
        assert!(found["left_out"].as_array().unwrap().is_empty());
        let latents = model.vae().latent_groups();
        assert!(bits("groups") >= latents.len() as f64, "{name}");
        for code in codes.iter().filter(|code| draws(code)) {
            assert!(
                code["part_1_bits"].as_f64().unwrap() > 0.9 * bits("kl_bits"),
                "{code}"
            );
            assert!(
                code["total_bits"].as_f64().unwrap() > 0.98 * bound,
                "{code}"
            );
        }
    }
}

/// Of one draw of a channel no code takes less than the functional information, and none more than its bound.
#[test]
fn codes_of_a_channel_keep_to_their_bounds() {
    let folder = Folder::new();
    let found = json(&folder, "compare channel --messages 20000 --json");
    assert_eq!(found["mutual_information_bits"], 2.0);
    assert_eq!(found["functional_information_bits"], 2.0);
    let other = json(
        &folder,
        "compare channel --noise C(0.7,0.1,0.1,0.1) --messages 20000 --json",
    );
    for found in [&found, &other] {
        let functional = found["functional_information_bits"].as_f64().unwrap();
        let codes = found["codes"].as_array().unwrap();
        assert_eq!(codes.len(), 7);
        for code in codes {
            let measured = &code["measured"];
            let bits = measured["bits"].as_f64().unwrap();
            let error = 4.0 * measured["standard_error"].as_f64().unwrap();
            assert!(bits + error > functional, "{code}");
            let bound = code["bound_bits"].as_f64();
            assert!(bound.is_none_or(|bound| bits < bound + error), "{code}");
        }
    }
    let functional = other["functional_information_bits"].as_f64().unwrap();
    assert!(functional > other["mutual_information_bits"].as_f64().unwrap() + 0.5);
    let text = String::from_utf8(folder.ok("compare channel --messages 100").stdout).unwrap();
    assert!(
        text.contains("(singular)") && text.contains("ring toss code"),
        "{text}"
    );
    folder.fails(
        "compare channel --noise N(0,1)",
        &["N(0, 1)", "expected B(p)"],
    );
    let wide = vec!["0"; 1500].join(",");
    let noise = format!("compare channel --noise C(1,{wide})");
    folder.fails(&noise, &["1501 symbols", "at most 1024"]);
}

/// The protocol beside the sum over types, within four standard errors and the geometric code's
/// distance from log2 e.
#[test]
fn the_protocol_agrees_with_the_sum_over_types() {
    let folder = Folder::new();
    let found = json(&folder, "compare toy --n 10,1000 --messages 20000 --json");
    assert!((found["kl_bits"].as_f64().unwrap() - 0.321_928).abs() < 1e-5);
    let ten = &found["blocks"][0];
    assert!((ten["bits_per_draw"].as_f64().unwrap() - 1.0998).abs() < 6e-5);
    let (measured, error) = (&ten["clipped"]["bits"], &ten["clipped"]["standard_error"]);
    let off = measured.as_f64().unwrap() / 10.0 - 1.0998;
    assert!(off.abs() < 0.4 * error.as_f64().unwrap() + 0.001, "{ten}");
    let candidates = ten["clipped"]["candidates"].as_f64().unwrap().log2();
    assert!(
        (candidates - ten["log2_candidates"].as_f64().unwrap()).abs() < 0.05,
        "{ten}"
    );
    assert_eq!(found["blocks"][1]["clipped"], serde_json::Value::Null);

    let text = folder.ok("compare toy --n 1000").stdout;
    assert!(String::from_utf8(text).unwrap().contains("years"));
}

#[test]
fn estimators_are_tabulated() {
    let folder = Folder::new();
    let text = folder.ok("compare kl --samples 100000").stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("q = N(0, 1), p = N(1, 1): KL(q, p) 0.500000 nats"),
        "{text}"
    );
    let found = json(
        &folder,
        "compare kl --q B(0.5) --p B(0.2) --samples 100000 --json",
    );
    let k1 = found[0]["estimators"][0]["mean_nats"].as_f64().unwrap();
    assert!((k1 - 0.2231).abs() < 0.01, "{k1}");
}

#[test]
fn bad_distributions_are_one_clear_line() {
    let folder = Folder::new();
    // Options that are none: the usage is shown too.
    for (words, expected) in [
        ("compare toy --q B(2)", "probability of 2"),
        ("compare toy --q C(0.5,0.6)", "sum to 1.1"),
        ("compare toy --q D(1)", "expected B(p)"),
        ("compare toy --q N(0", "expected B(p)"),
        ("compare kl --q N(0,-1)", "standard deviation of -1"),
        ("compare model --budget 99", "99"),
    ] {
        let outcome = folder.run(words);
        assert_eq!(outcome.code, Some(2), "{words}");
        assert!(
            outcome.stderr.contains(expected),
            "{words}: {}",
            outcome.stderr
        );
    }
    folder.fails(
        "compare toy --q C(0.5,0.5) --p C(1,0)",
        &["symbol 1", "support"],
    );
    folder.fails("compare toy --q N(0,1)", &["two of a kind"]);
    folder.fails("compare toy --n 0", &["expected 1 to"]);
    folder.fails(
        "compare toy --q N(1,1) --p N(0,1) --n 1000000",
        &["minutes"],
    );
    folder.fails("compare model --data none", &["none"]);
    folder.fails("compare model --budget 30", &["hours", "--limit"]);
}
