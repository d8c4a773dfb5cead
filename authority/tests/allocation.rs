//! An answer allocates nothing, whatever the request, from the first query of a view on.

mod story;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Barrier;
use std::thread;

use nss_authority::{CookieSecrets, HashSeed, Outcome, Peer, Transport};
use nss_wire::RType;
use nss_wire::message::{EdnsFlags, Rcode};
use story::{EdnsWish, Story, query};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: all calls go to the system's allocator unchanged; the counter is a plain number that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise about `layout` is the one `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, and so from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as for `dealloc`; the caller promises that `size` is valid.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const EXAMPLE: &str = "
    example.            SOA   ns.example. host.example. 1 3600 900 604800 300
    example.            RRSIG SOA example.
    example.            NS    ns.example.
    example.            MX    10 mail.example.
    ns.example.         A     192.0.2.1
    mail.example.       A     192.0.2.2
    mail.example.       RRSIG A example.
    a.ent.example.      A     192.0.2.3
    *.wild.example.     TXT   x
    sub.example.        NS    ns.sub.example.
    sub.example.        NS    ns.sister.example.
    sub.example.        DS    1 8 2 00000000000000000000000000000000000000000000000000000000000000ff
    ns.sub.example.     A     192.0.2.5
    sister.example.     NS    ns.sister.example.
    ns.sister.example.  A     192.0.2.6
    one.example.        CNAME two.example.
    two.example.        CNAME one.example.
    into.example.       CNAME x.old.example.
    old.example.        DNAME new.example.
    loop.example.       DNAME loop.loop.example.
    www.new.example.    A     192.0.2.7
    chain.example.      CNAME x.chain.example.
    *.chain.example.    CNAME no.example.
    _sip.example.       SRV   1 2 3 mail.example.
    web.example.        HTTPS 0 mail.example.
    tel.example.        NAPTR 1 1 s x x _sip.example.
";

/// Names and types of every kind of answer.
const QUESTIONS: &str = "
    mail.example. A, MAIL.example. AAAA, no.example. A, ent.example. A, x.wild.example. TXT, x.wild.example. A,
    sub.example. NS, www.sub.example. A, sub.example. DS, sister.example. DS, child.example. DS, example. DS,
    one.example. A, one.example. ANY, into.example. A, www.old.example. A, x.loop.example. A, chain.example. A,
    example. ANY, example. NS, example. MX, example. SOA, mail.example. RRSIG, _sip.example. SRV, web.example. HTTPS,
    tel.example. NAPTR, many.example. A, many.example. TXT, many.example. MX, child.example. SOA, other.test. A, . NS,
    no.nsec.test. A, x.wild.nsec.test. TXT, x.wild.nsec.test. A, x.cut.nsec.test. A, ent.nsec.test. A, cut.nsec.test. DS,
    no.nsec3.test. A, x.wild.nsec3.test. TXT, x.wild.nsec3.test. A, x.cut.nsec3.test. A, ent.nsec3.test. A,
    example. AXFR, example. IXFR, no.example. AXFR, example. MAILB, example. OPT, example. TYPE65280
";

struct Counted {
    story: Story,
    out: Vec<u8>,
    wrong: Vec<String>,
    rcodes: Vec<Rcode>,
}

impl Counted {
    fn send(&mut self, transport: Transport, request: &[u8], what: &str) {
        let peer = Peer { transport, address: [192, 0, 2, 53].into() };
        let before = ALLOCATIONS.with(Cell::get);
        let outcome = self.story.view.respond(request, &peer, &self.story.policy, &mut self.out);
        let count = ALLOCATIONS.with(Cell::get) - before;
        if count > 0 {
            self.wrong.push(format!("{what} over {transport:?}: {count}"));
        }
        match outcome {
            Outcome::Reply(reply) => self.rcodes.push(reply.rcode),
            Outcome::Silent => {}
            Outcome::Transfer(transfer) => {
                drop(transfer);
                let before = ALLOCATIONS.with(Cell::get);
                let _ = self.story.view.refuse_transfer(request, &peer, &self.story.policy, &mut self.out);
                if ALLOCATIONS.with(Cell::get) > before {
                    self.wrong.push(format!("the refusal of {what} over {transport:?}"));
                }
            }
        }
    }

    fn send_all_ways(&mut self, request: &[u8], what: &str) {
        self.send(Transport::Udp, request, what);
        self.send(Transport::Tcp, request, what);
        self.send(Transport::Tls, request, what);
    }
}

fn counted() -> Counted {
    let many: String = (0..200)
        .map(|i| {
            format!("many.example. A 192.0.2.{i}\nmany.example. TXT {i}\nmany.example. MX {i} mail{}.example.\n", i % 9)
        })
        .collect();
    let zone = format!("{EXAMPLE}{many}");
    let child = "child.example. SOA ns.other. host.other. 1 2 3 4 5\nchild.example. NS ns.other.";
    // Built with another seed than the catalog has.
    let stranger = "far.test. SOA ns.other. host.other. 1 2 3 4 5\nfar.test. NS ns.other.";
    // With either way of denying names.
    let signed = |apex: &str| {
        format!(
            "
        {apex} SOA ns.other. host.other. 1 2 3 4 5
        {apex} NS ns.other.
        {apex} DNSKEY \\# 5 0101030d00
        *.wild.{apex} TXT x
        cut.{apex} NS ns.other.
        a.ent.{apex} A 192.0.2.1
    "
        )
    };
    let nsec = signed("nsec.test.") + "nsec.test. NSEC \\# 1 00\n*.wild.nsec.test. NSEC \\# 1 00";
    let nsec3 = signed("nsec3.test.")
        + "nsec3.test. NSEC3PARAM \\# 5 0100000000
        0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.nsec3.test. NSEC3 \\# 7 01010000000100";
    let mut story = Story::new(&[&zone, child, &nsec, &nsec3]);
    story.policy.rotate = true;
    let records = story::records(stranger);
    let apex = records[0].1.owner.clone();
    let mut builder = nss_authority::ZoneBuilder::new(apex.as_name(), nss_wire::Class::IN).with_seed(HashSeed::new(9));
    records.iter().for_each(|(line, record)| builder.add(record.as_record(), *line));
    story.catalog.publish(builder.build().unwrap().0);
    Counted { story, out: vec![0; 65535], wrong: Vec::new(), rcodes: Vec::new() }
}

fn questions() -> Vec<(nss_wire::NameBuf, RType)> {
    let texts = QUESTIONS.split(',').map(|question| question.trim().split_once(' ').expect("a name and a type"));
    texts.map(|(name, rtype)| (name.parse().unwrap(), rtype.parse().unwrap())).collect()
}

fn edns_query(name: &str, rdata: &[u8], counts_question: bool) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 0, 0, 0, u8::from(counts_question), 0, 0, 0, 0, 0, 1];
    if counts_question {
        message.extend_from_slice(name.parse::<nss_wire::NameBuf>().unwrap().as_name().as_wire());
        message.extend_from_slice(&[0, 1, 0, 1]);
    }
    message.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, rdata.len() as u8]);
    message.extend_from_slice(rdata);
    message
}

#[test]
fn no_question_of_any_kind_allocates_even_as_the_first_of_its_view() {
    let mut counted = counted();
    for (name, rtype) in questions() {
        for edns in [None, Some((512, EdnsFlags(0))), Some((1232, EdnsFlags::DO))] {
            let edns = edns.map(|(payload_size, flags)| EdnsWish { payload_size, flags });
            let request = query(&name, rtype, edns);
            counted.send_all_ways(&request, &format!("{name} {rtype}"));
            counted.story.view = counted.story.catalog.view();
            counted.send_all_ways(&request, &format!("{name} {rtype} first"));
        }
    }
    assert_eq!(counted.wrong, [""; 0]);
    for rcode in [Rcode::NOERROR, Rcode::NXDOMAIN, Rcode::REFUSED, Rcode::NOTAUTH, Rcode::NOTIMP, Rcode::FORMERR] {
        assert!(counted.rcodes.contains(&rcode), "{rcode}");
    }
}

#[test]
fn the_first_question_after_a_publication_allocates_nothing() {
    let mut counted = counted();
    let request = query(&"mail.example.".parse().unwrap(), RType::A, None);
    for _ in 0..3 {
        counted.story.catalog.publish(story::build(EXAMPLE).unwrap().0);
        counted.send_all_ways(&request, "published");
        // The view holds the last reference to the zone that it lets go with the next question.
        counted.story.catalog.withdraw("example.".parse::<nss_wire::NameBuf>().unwrap().as_name());
        counted.send_all_ways(&request, "withdrawn");
    }
    assert_eq!(counted.wrong, [""; 0]);
    assert!(counted.rcodes.contains(&Rcode::NOERROR) && counted.rcodes.contains(&Rcode::REFUSED));
}

#[test]
fn a_view_allocates_nothing_in_the_thread_that_made_it_and_once_if_it_was_made_in_another() {
    let request = query(&"mail.example.".parse().unwrap(), RType::A, None);
    let allocations = |makes_view: bool| {
        let mut counted = counted();
        let catalog = counted.story.catalog.clone();
        // Both threads wait here before the publication and after it.
        let turn = Barrier::new(2);
        thread::scope(|scope| {
            let asker = scope.spawn(|| {
                if makes_view {
                    counted.story.view = counted.story.catalog.view();
                }
                for _ in 0..3 {
                    turn.wait();
                    turn.wait();
                    counted.send_all_ways(&request, "published by another thread");
                }
                counted.wrong.len()
            });
            for _ in 0..3 {
                turn.wait();
                catalog.publish(story::build(EXAMPLE).unwrap().0);
                turn.wait();
            }
            asker.join().unwrap()
        })
    };
    assert_eq!(allocations(true), 0);
    // The catalog's pointers keep a note for each thread, made when the thread first sees a change.
    assert!(allocations(false) <= 1);
}

#[test]
fn cookies_identifiers_versions_and_keys_allocate_nothing() {
    let mut counted = counted();
    counted.story.policy.cookies = CookieSecrets::new(&[[1; 16], [2; 16]]);
    counted.story.policy.nsid = Some(Box::from(&[7; 200][..]));
    counted.story.policy.identity = Some(Box::from(&[8; 300][..]));
    let client = [&[0, 10, 0, 8][..], &[1; 8]].concat();
    let server = [&[0, 10, 0, 24][..], &[1; 24]].concat();
    let malformed = [0, 10, 0, 3, 1, 2, 3];
    let nsid = [0, 3, 0, 0];
    let unknown = [0xfd, 0xe9, 0, 1, 0];
    let version = [0, 19, 0, 0];
    let all = [&server[..], &nsid, &version].concat();
    for options in [&client[..], &server, &malformed, &nsid, &unknown, &version, &all, &[0, 3, 0]] {
        for name in ["mail.example.", "far.test.", "no.far.test."] {
            counted.send_all_ways(&edns_query(name, options, true), "options");
        }
        counted.send_all_ways(&edns_query("", options, false), "options without a question");
    }
    for name in ["id.server.", "version.bind."] {
        let mut chaos = query(&name.parse().unwrap(), RType::TXT, None);
        *chaos.last_mut().unwrap() = 3;
        counted.send_all_ways(&chaos, "class CH");
    }
    let mut later_version = edns_query("mail.example.", &[], true);
    let at = later_version.len() - 5;
    later_version[at] = 1;
    counted.send_all_ways(&later_version, "version");

    let mut signed = query(&"mail.example.".parse().unwrap(), RType::A, None);
    signed[11] = 1;
    let mac = [&[0; 6][..], &[1, 44, 0, 16], &[9; 16], &[0x12, 0x34, 0, 0, 0, 0]].concat();
    let rdata = [&b"\x0bhmac-sha256\0"[..], &mac].concat();
    signed.extend([&b"\x03key\0"[..], &[0, 250, 0, 255, 0, 0, 0, 0, 0, rdata.len() as u8], &rdata].concat());
    counted.send_all_ways(&signed, "key");

    assert_eq!(counted.wrong, [""; 0]);
    for rcode in [Rcode::NOERROR, Rcode::BADCOOKIE, Rcode::FORMERR, Rcode::BADVERS, Rcode::NOTAUTH] {
        assert!(counted.rcodes.contains(&rcode), "{rcode}");
    }
}

#[test]
fn broken_requests_allocate_nothing() {
    let mut counted = counted();
    let good = edns_query("mail.example.", &[0, 3, 0, 0], true);
    for size in 0..good.len() {
        counted.send_all_ways(&good[..size], "cut short");
    }
    for at in 0..good.len() {
        for octet in [0, 1, 0x28, 0x3f, 0x80, 0xc0, 0xff] {
            let mut request = good.clone();
            request[at] = octet;
            counted.send_all_ways(&request, "changed");
        }
    }
    assert_eq!(counted.wrong, [""; 0]);
    assert!(counted.rcodes.contains(&Rcode::FORMERR) && counted.rcodes.contains(&Rcode::NOTIMP));
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.with(Cell::get);
    drop(std::hint::black_box(vec![0_u8; 100]));
    assert!(ALLOCATIONS.with(Cell::get) > before);
}
