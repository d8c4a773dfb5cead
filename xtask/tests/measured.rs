//! What `cargo xtask bench check` measures programs with.

use std::process::{Command, Output};

fn measured(script: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["bench", "measured", "--", "sh", "-c", script]).output().unwrap()
}

#[test]
fn the_cost_of_a_program_is_that_of_the_program_alone() {
    // A variable of 64 MiB, and one of nearly nothing; what the shell itself takes is far below.
    let peak = |size: u32| {
        let output = measured(&format!("a=$(head -c {size} /dev/zero | tr '\\0' a); echo told; test -n \"$a\""));
        assert!(output.status.success());
        assert_eq!(output.stderr, b"told\n");
        let cost: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(cost["wall_seconds"].as_f64().unwrap() > 0.0 && cost["cpu_seconds"].as_f64().unwrap() >= 0.0);
        cost["peak_memory"].as_u64().unwrap()
    };
    assert!(peak(64 << 20) > 64 << 20);
    assert!(peak(1) < 64 << 20);
}

#[test]
fn a_program_that_fails_has_no_cost() {
    let output = measured("echo no zone; exit 3");
    assert!(!output.status.success());
    assert_eq!(output.stdout, b"");
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.starts_with("no zone\n") && words.contains("exit status: 3"), "{words}");
}
