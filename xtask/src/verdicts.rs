//! What a model says it expects, what Verifpal answered, and the comparison of the two, query by
//! query. Used by [`crate::models`].
//!
//! A model's header has a line for each of its queries, in their order:
//! `// expect holds confidentiality? token` or `// expect broken confidentiality? token`.

/// One query and its verdict, expected or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The query as the model has it.
    pub query: String,
    /// Whether it holds; else there is an attack.
    pub holds: bool,
}

/// The kinds of query, by their letter in Verifpal's result code.
const KINDS: &[(char, &str)] = &[
    ('c', "confidentiality? "),
    ('a', "authentication? "),
    ('f', "freshness? "),
    ('u', "unlinkability? "),
    ('e', "equivalence? "),
];

/// Reads what a model expects.
///
/// # Errors
/// A line cannot be read, or the model's name promises something else: the queries of a negative
/// control (`neg_…`) must not all hold, those of another model must.
pub fn expected(name: &str, model: &str) -> Result<Vec<Verdict>, String> {
    let mut verdicts = Vec::new();
    for line in model.lines().filter_map(|line| line.strip_prefix("// expect ")) {
        let (verdict, query) = line.split_once(' ').unwrap_or((line, ""));
        let holds = match verdict {
            "holds" => true,
            "broken" => false,
            _ => return Err(format!("cannot read the line `// expect {line}`")),
        };
        verdicts.push(Verdict { query: query.trim().to_owned(), holds });
    }
    match (name.starts_with("neg_"), verdicts.iter().all(|verdict| verdict.holds)) {
        _ if verdicts.is_empty() => Err("has no line `// expect holds …` or `// expect broken …`".to_owned()),
        (true, true) => Err("is a negative control, yet expects nothing to be broken".to_owned()),
        (false, false) => Err("expects something to be broken: call it neg_…".to_owned()),
        _ => Ok(verdicts),
    }
}

/// Reads the output of `verifpal verify --result-code` for one model.
///
/// # Errors
/// It is not such an output, or the search was cut short, so that a query that holds says nothing.
pub fn found(output: &str) -> Result<Vec<Verdict>, String> {
    // While it searches Verifpal tells of each attack; the verdicts come after this line.
    let (_, results) = output.split_once("Verification completed").ok_or("Verifpal did not complete")?;
    let mut verdicts = Vec::new();
    for line in results.lines().map(str::trim) {
        let (holds, rest) = match (line.strip_prefix("PASS + "), line.strip_prefix("FAIL x ")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => continue,
        };
        if !KINDS.iter().any(|(_, kind)| rest.starts_with(kind)) {
            continue; // "All 5 queries pass."
        }
        let (query, search) = rest.split_once("  [").unwrap_or((rest, ""));
        if holds && !search.starts_with("search exhausted") {
            return Err(format!("`{query}` holds only as far as Verifpal looked: [{search}"));
        }
        verdicts.push(Verdict { query: query.to_owned(), holds });
    }
    // Both forms of the answer must say the same, or this reads one of them wrongly.
    let code = results.trim_end().lines().last().unwrap_or_default();
    if code.is_empty() || code != result_code(&verdicts) {
        return Err(format!("the verdicts are {}, yet Verifpal's result code is {code}", result_code(&verdicts)));
    }
    Ok(verdicts)
}

/// Every difference between what was expected and what was found; none if they are the same.
pub fn differences(expected: &[Verdict], found: &[Verdict]) -> Vec<String> {
    let mut differences = Vec::new();
    for verdict in found {
        let same = |other: &&Verdict| other.query == verdict.query;
        match expected.iter().find(same) {
            None => differences.push(format!("`{}` has no line in the header", verdict.query)),
            Some(wanted) if wanted.holds != verdict.holds => {
                let (now, then) = if verdict.holds { ("holds", "be broken") } else { ("is broken", "hold") };
                differences.push(format!("`{}` {now}, expected to {then}", verdict.query));
            }
            Some(_) => {}
        }
    }
    for wanted in expected.iter().filter(|wanted| found.iter().all(|verdict| verdict.query != wanted.query)) {
        differences.push(format!("`{}` stands in the header and was not asked", wanted.query));
    }
    // The same query twice would let one line stand for two.
    if differences.is_empty() && expected.len() != found.len() {
        differences.push(format!("{} lines in the header, {} queries", expected.len(), found.len()));
    }
    differences
}

fn result_code(verdicts: &[Verdict]) -> String {
    let letter =
        |query: &str| KINDS.iter().find(|(_, kind)| query.starts_with(kind)).map_or('?', |(letter, _)| *letter);
    verdicts.iter().map(|Verdict { query, holds }| format!("{}{}", letter(query), u8::from(!holds))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str =
        "// A model.\n//\n// expect holds  confidentiality? r\n// expect broken confidentiality? work\n";

    // What Verifpal 1.3.9 printed for neg_a_repin_unbound.vp; of the trace the first and last lines.
    const OUTPUT: &str = "\
 Verifpal * Verification initiated for 'neg_a_repin_unbound.vp' at 12:42:13 PM.
     Info . Analyzing 2 parallel sessions per principal; per-session values and principals are suffixed #2.
     Info . Attacker is configured as active.
     Info . Running at phase 0.
     FAIL x confidentiality? work (Analysis 15)

--------------------------------------------------
 Verifpal * Verification completed for 'neg_a_repin_unbound.vp' at 12:42:16 PM in 3.12s.

     PASS + confidentiality? r  [search exhausted at 2 sessions]
     FAIL x confidentiality? work
            Attack trace:
            | 1. Attacker constructs PUBKEY(nil).
            | 13. Attacker opens sent with kd_out, obtaining work.
            > work (work) is obtained by Attacker.

--------------------------------------------------
     FAIL x 1 of 2 queries failed.
 Verifpal * Thank you for using Verifpal.
c0c1
";

    fn compare(model: &str, output: &str) -> Vec<String> {
        differences(&expected("neg_a", model).unwrap(), &found(output).unwrap())
    }

    #[test]
    fn a_model_that_does_what_its_header_says_is_well() {
        assert_eq!(compare(MODEL, OUTPUT), Vec::<String>::new());
    }

    #[test]
    fn control_an_expectation_turned_around_is_caught() {
        let turned = MODEL.replace("holds  confidentiality? r", "broken confidentiality? r");
        assert_eq!(compare(&turned, OUTPUT), ["`confidentiality? r` holds, expected to be broken"]);
        let swapped = turned.replace("broken confidentiality? work", "holds confidentiality? work");
        assert_eq!(
            compare(&swapped, OUTPUT),
            [
                "`confidentiality? r` holds, expected to be broken",
                "`confidentiality? work` is broken, expected to hold"
            ]
        );
    }

    #[test]
    fn a_query_without_its_line_and_a_line_without_its_query_are_caught() {
        let fewer = MODEL.replace("// expect holds  confidentiality? r\n", "");
        assert_eq!(compare(&fewer, OUTPUT).len(), 1);
        let more = format!("{MODEL}// expect holds confidentiality? x\n");
        assert_eq!(compare(&more, OUTPUT).len(), 1);
        let twice = format!("{MODEL}// expect broken confidentiality? work\n");
        assert_eq!(compare(&twice, OUTPUT).len(), 1);
    }

    #[test]
    fn an_output_that_is_cut_short_or_at_odds_with_its_code_is_no_result() {
        for (from, to) in
            [("completed", "stopped"), ("exhausted at", "stopped after"), ("c0c1\n", "c0c0\n"), ("c0c1\n", "")]
        {
            assert!(OUTPUT.contains(from));
            assert!(found(&OUTPUT.replace(from, to)).is_err(), "{from}");
        }
    }

    #[test]
    fn a_name_and_its_expectations_agree() {
        assert!(expected("neg_a", MODEL).is_ok());
        assert!(expected("a", MODEL).is_err());
        assert!(expected("neg_a", "// expect holds confidentiality? r\n").is_err());
        assert!(expected("a", "// nothing\n").is_err());
        assert!(expected("a", "// expect maybe confidentiality? r\n").is_err());
    }
}
