//! Looking ahead at a batch changes no answer.

mod story;

use std::cell::RefCell;
use std::fmt::Write;

use nss_authority::ahead::AHEAD_MAX;
use nss_authority::{Outcome, View};
use nss_wire::{NameBuf, RType};
use story::Story;

/// So many zones of so many names that they do not fit into a core's cache, every other one short.
fn many_zones() -> Story {
    let zones: Vec<String> = (0..300)
        .map(|i| {
            let apex = format!("zone{i}.example.");
            let mut text = format!("{apex} SOA ns.{apex} host.{apex} 1 2 3 4 5\n{apex} NS ns.other.\n");
            for name in 0..if i % 2 == 0 { 160 } else { 3 } {
                writeln!(text, "host{name}.{apex} A 192.0.2.{name}").unwrap();
            }
            text + &format!("sub.{apex} NS ns.sub.{apex}\nns.sub.{apex} A 192.0.2.1\n*.any.{apex} TXT any\n")
        })
        .collect();
    Story::new(&zones.iter().map(String::as_str).collect::<Vec<_>>())
}

fn answers(story: &Story, view: &mut View, requests: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
    let mut out = vec![0; 1232];
    let answer = |request: &Vec<u8>| match view.respond(request, &story.peer(), &story.policy, &mut out) {
        Outcome::Reply(reply) => Some(out[..reply.len].to_vec()),
        Outcome::Silent | Outcome::Transfer(_) => None,
    };
    requests.iter().map(answer).collect()
}

#[test]
fn a_batch_is_answered_as_its_requests_one_by_one() {
    let story = many_zones();
    assert!(story.catalog.memory_size() > 1 << 20, "{}", story.catalog.memory_size());
    let names =
        ["host7.zone", "HOST7.Zone", "no.zone", "zone", "a.b.c.sub.zone", "x.any.zone", "a.a.a.a.a.a.a.a.a.a.zone"];
    let mut requests: Vec<Vec<u8>> = Vec::new();
    for i in 0..40 {
        let name: NameBuf = format!("{}{}.example.", names[i % names.len()], i * 9).parse().unwrap();
        requests.push(story::query(&name, [RType::A, RType::SOA, RType::DS, RType::ANY][i % 4], story.edns));
    }
    for outside in [".", "example.", "other.", "zone1.example.net."] {
        requests.push(story::query(&outside.parse().unwrap(), RType::A, story.edns));
    }
    let whole = requests[0].clone();
    requests.extend((0..whole.len()).map(|size| whole[..size].to_vec()));
    requests.extend([vec![], vec![0xff; 512], vec![0xc0; 40]]);
    let expected = answers(&story, &mut story.catalog.view(), &requests);
    let mut view = story.catalog.view();
    for batch in [1, 3, AHEAD_MAX, requests.len()] {
        let mut found = Vec::new();
        for requests in requests.chunks(batch) {
            view.approach(requests.iter().map(Vec::as_slice), |_| ());
            found.extend(answers(&story, &mut view, requests));
        }
        assert_eq!(found, expected, "{batch} at once");
    }
    // What is published between the look ahead and the answer is seen by the answer.
    view.approach(requests.iter().map(Vec::as_slice), |_| ());
    story.catalog.withdraw("zone0.example.".parse::<NameBuf>().unwrap().as_name());
    assert_ne!(answers(&story, &mut view, &requests[..1]), expected[..1]);
}

#[test]
fn what_an_answer_needs_is_fetched() {
    let story = many_zones();
    let mut view = story.catalog.view();
    let mut fetched = |name: &str| {
        let request = story::query(&name.parse().unwrap(), RType::A, story.edns);
        let addresses = RefCell::new(Vec::new());
        view.approach([request.as_slice()].into_iter(), |at| addresses.borrow_mut().push(at as usize));
        addresses.into_inner()
    };
    // A part of the catalog, a slot, and all of the zone.
    let short = fetched("host1.zone7.example.");
    assert!((5..=13).contains(&short.len()), "{}", short.len());
    assert!(short[2..].is_sorted_by(|before, after| before + 64 == *after), "{short:?}");
    // Further from its start the places where the search for the name and its parents starts, and two lines of each node.
    let long = fetched("host77.zone8.example.");
    assert_eq!(long.len(), 2 + 10 + 3 + 6);
    let (start, last) = (long[2], &long[12..]);
    assert!(last.iter().all(|at| (start..start + (1 << 16)).contains(at)), "{long:?}");
    assert_eq!(fetched("other."), []);
}
