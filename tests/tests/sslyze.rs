//! What SSLyze, a public scanner, finds on the port of the real binary. Run by the layer `suites`.
//!
//! The control is OpenSSL's `s_server` as it comes: the same questions must find it wanting.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use pairpin_tests::machine::Machine;
use pairpin_tests::scratch;
use serde_json::Value;

/// Seconds in a day.
const DAY: i64 = 24 * 60 * 60;

/// The scans. Few connections at a time: the machine bears eight of one stranger's address.
const SCANS: &[&str] = &[
    "--slow_connection",
    "--mozilla_config=disable",
    "--certinfo",
    "--sslv2",
    "--sslv3",
    "--tlsv1",
    "--tlsv1_1",
    "--tlsv1_2",
    "--tlsv1_3",
    "--resum",
    "--early_data",
    "--compression",
    "--reneg",
    "--elliptic_curves",
    "--heartbleed",
    "--openssl_ccs",
    "--robot",
];

const VERSIONS: &[&str] = &["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3"];

#[test]
fn the_port_offers_tls_1_3_and_nothing_else_that_a_scanner_knows() {
    let machine = Machine::started();
    let complaints = complaints(&scan(machine.address));
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn control_a_server_with_old_versions_tickets_and_another_certificate_is_found_wanting() {
    let server = OpenSsl::start();
    let complaints = complaints(&scan(server.address));
    let wrong = ["tls_1_2", "session ids", "tickets", "key", "signature", "life", "curves", "names"];
    for about in wrong {
        let found = complaints.iter().any(|complaint| complaint.starts_with(&format!("{about}: ")));
        assert!(found, "nothing about {about}: {complaints:#?}");
    }
}

fn scan(address: SocketAddr) -> Value {
    let directory = scratch::directory();
    let file = directory.path().join("scan.json");
    let python =
        env::var_os("PAIRPIN_PYTHON").expect("PAIRPIN_PYTHON is not set, run: cargo xtask test --layer suites");
    let output = Command::new(python)
        .args(["-W", "ignore", "-m", "sslyze", "--quiet", "--json_out"])
        .arg(&file)
        .args(SCANS)
        .arg(address.to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let scans: Value = serde_json::from_str(&text).unwrap();
    let scan = &scans["server_scan_results"][0];
    assert_eq!(scan["scan_status"], "COMPLETED", "{scan}");
    scan["scan_result"].clone()
}

/// What is other than `docs/protocol.md` (section 1) says, each with what it is about.
fn complaints(scan: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut check = |about: &str, found: &Value, fits: bool| {
        if !fits {
            complaints.push(format!("{about}: {found}"));
        }
    };
    for version in VERSIONS {
        let suites = &scan[format!("{version}_cipher_suites")]["result"];
        let accepted: Value = names(&suites["accepted_cipher_suites"], |suite| &suite["cipher_suite"]["name"]).into();
        let right = if *version == "tls_1_3" {
            set(&accepted) == ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
        } else {
            suites["is_tls_version_supported"] == false && accepted == Value::Array(Vec::new())
        };
        check(version, &accepted, right);
    }
    let result = |name: &str, field: &str| &scan[name]["result"][field];
    // What SSLyze says where there is nothing but TLS 1.3; its tickets are asked for in `strangers.rs`.
    let session_ids = result("session_resumption", "session_id_resumption_result");
    check("session ids", session_ids, session_ids == "SERVER_IS_TLS_1_3_ONLY");
    let tickets = result("session_resumption", "tls_ticket_resumption_result");
    check("tickets", tickets, tickets == "SERVER_IS_TLS_1_3_ONLY");
    for (name, field) in [
        ("tls_1_3_early_data", "supports_early_data"),
        ("tls_compression", "supports_compression"),
        ("session_renegotiation", "is_vulnerable_to_client_renegotiation_dos"),
        ("heartbleed", "is_vulnerable_to_heartbleed"),
        ("openssl_ccs_injection", "is_vulnerable_to_ccs_injection"),
    ] {
        check(name, result(name, field), result(name, field) == false);
    }
    let renegotiated = result("session_renegotiation", "client_renegotiations_success_count");
    check("renegotiation", renegotiated, renegotiated == 0);
    let robot = result("robot", "robot_result");
    check("robot", robot, robot == "NOT_VULNERABLE_RSA_NOT_SUPPORTED");
    let curves: Value = names(result("elliptic_curves", "supported_curves"), |curve| &curve["name"]).into();
    check("curves", &curves, set(&curves) == ["X25519", "secp256r1", "secp384r1"]);

    let deployments = result("certificate_info", "certificate_deployments");
    check("certificates", deployments, deployments.as_array().is_some_and(|all| all.len() == 1));
    let chain = &deployments[0]["received_certificate_chain"];
    check("chain", chain, chain.as_array().is_some_and(|chain| chain.len() == 1));
    let certificate = &chain[0];
    let key = &certificate["public_key"];
    check("key", key, key["algorithm"] == "ECPublicKey" && key["ec_curve_name"] == "secp256r1");
    let signature = &certificate["signature_algorithm_oid"]["name"];
    check("signature", signature, signature == "ecdsa-with-SHA256");
    // It names nobody: what a machine is called is for its devices.
    let subject = &certificate["subject"]["rfc4514_string"];
    check("names", subject, subject == "CN=pairpin" && certificate["issuer"]["rfc4514_string"] == "CN=pairpin");
    let (from, to) = (seconds(&certificate["not_valid_before"]), seconds(&certificate["not_valid_after"]));
    check("life", &(to - from).into(), to - from == 398 * DAY);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    // It was issued when the machine started, a moment ago.
    check("begin", &certificate["not_valid_before"], (now - DAY - 3600..=now - DAY).contains(&from));
    complaints
}

fn names(list: &Value, name: impl Fn(&Value) -> &Value) -> Vec<Value> {
    list.as_array().map_or_else(Vec::new, |list| list.iter().map(|each| name(each).clone()).collect())
}

fn set(names: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    names.sort_unstable();
    names
}

/// `2026-11-20T14:26:16Z` in seconds since 1970.
fn seconds(time: &Value) -> i64 {
    let text = time.as_str().unwrap_or_else(|| panic!("no time: {time}"));
    let numbers: Vec<i64> = text.split(['-', 'T', ':', 'Z']).filter_map(|number| number.parse().ok()).collect();
    let [year, month, day, hour, minute, second] = numbers[..] else { panic!("no time: {text}") };
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years: i64 = (1970..year).map(|year| 365 + i64::from(leap(year))).sum();
    let months: i64 = lengths.iter().take(month as usize - 1).sum();
    (((years + months + day - 1) * 24 + hour) * 60 + minute) * 60 + second
}

/// OpenSSL's test server: TLS 1.2 too, tickets, and a certificate of another curve, for ten years.
struct OpenSsl {
    address: SocketAddr,
    child: Child,
}

impl OpenSsl {
    fn start() -> Self {
        let directory = scratch::directory();
        let (key, certificate) = (directory.path().join("key.pem"), directory.path().join("certificate.pem"));
        let made = openssl(["req", "-x509", "-nodes", "-sha384", "-days", "3650", "-subj", "/CN=x"])
            .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let address = SocketAddr::from((scratch::loopback(), 7747));
        let mut serve = openssl(["s_server", "-accept"]);
        // Where its input ends it hangs up on everybody.
        serve.stdin(Stdio::piped());
        serve.arg(address.to_string()).arg("-key").arg(&key).arg("-cert").arg(&certificate);
        let mut child = serve.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = lines.by_ref().map_while(Result::ok).any(|line| line == "ACCEPT");
        assert!(listening, "s_server does not listen: {:?}", child.wait_with_output());
        // What it says of each connection is of no interest, but must not stop it.
        thread::spawn(move || lines.for_each(drop));
        Self { address, child }
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn openssl<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}
