//! Requests of a batch that ask what an earlier one has asked.
//!
//! Who is asked a lot is asked the same a lot: for the names of the day, and by floods, which mostly are one query with many forged
//! sources. In a batch the answer is made once and copied for the others. Nothing is kept from batch to batch, so that nothing
//! can be out of date.

use crate::trial::Trial;

/// Requests that are looked at at most.
pub(crate) const REPEATS_MAX: usize = 64;

/// For each request of a batch the first one that is the same but for its ID.
#[derive(Debug)]
pub(crate) struct Repeats {
    /// The first request of each kind, found by a hash.
    kinds: [u8; KINDS],
    first: [u8; REPEATS_MAX],
    trial: Trial,
}

/// Places for kinds of requests: twice as many as there are requests, so that few of them meet.
const KINDS: usize = 2 * REPEATS_MAX;

/// Places that are looked at for a request; whoever has it meet others at all of them has it answered by itself.
const TRIES: usize = 4;

/// In place of a request.
const NONE: u8 = u8::MAX;
const _: () = assert!(REPEATS_MAX < NONE as usize, "every request has a number");

/// Octets of a message's ID.
const ID_SIZE: usize = 2;

/// Octets of a request that is looked at: header, longest name, type, class, an OPT record without options. Longer ones are answered
/// each by itself.
const SIZES: std::ops::RangeInclusive<usize> = 12..=12 + 255 + 4 + 11;

impl Repeats {
    pub(crate) fn new() -> Repeats {
        Repeats { kinds: [NONE; KINDS], first: [NONE; REPEATS_MAX], trial: Trial::default() }
    }

    /// Looks at the first `count` requests of a batch, unless there has been nothing to see for a while.
    pub(crate) fn look<'r>(&mut self, count: usize, request: impl Fn(usize) -> &'r [u8]) {
        if !self.trial.is_due() {
            return;
        }
        self.kinds.fill(NONE);
        let mut is_any = false;
        for (i, first) in self.first.iter_mut().enumerate().take(count) {
            let this = request(i);
            if !SIZES.contains(&this.len()) {
                continue;
            }
            let at = hash(&this[ID_SIZE..]) as usize;
            for at in (at..at + TRIES).map(|at| at % KINDS) {
                match self.kinds[at] {
                    NONE => {
                        self.kinds[at] = i as u8;
                        break;
                    }
                    kind if request(kind.into())[ID_SIZE..] == this[ID_SIZE..] => {
                        *first = kind;
                        is_any = true;
                        break;
                    }
                    _ => {}
                }
            }
        }
        self.trial.learn(is_any);
    }

    /// Forgets what was looked at; to be called before another look.
    pub(crate) fn clear(&mut self) {
        self.first.fill(NONE);
    }

    /// The first request that is the same as the `i`-th, if that is not it itself.
    pub(crate) fn first(&self, i: usize) -> Option<usize> {
        self.first.get(i).filter(|&&first| first != NONE).map(|&first| usize::from(first))
    }
}

/// A hash of at least eight octets.
fn hash(octets: &[u8]) -> u64 {
    let mut sum = octets.len() as u64;
    let mut add = |word: [u8; 8]| sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR).rotate_right(23);
    let (words, _) = octets.as_chunks();
    words.iter().copied().for_each(&mut add);
    octets.last_chunk().copied().into_iter().for_each(add);
    sum
}

/// 2^64 by the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn firsts(requests: &[Vec<u8>]) -> Vec<Option<usize>> {
        let mut repeats = Repeats::new();
        repeats.look(REPEATS_MAX, |_| &[7; 40]);
        repeats.clear();
        repeats.look(requests.len(), |i| &requests[i]);
        (0..requests.len()).map(|i| repeats.first(i)).collect()
    }

    fn request(id: u8, text: &str) -> Vec<u8> {
        [&[id, id], &[0; 10][..], text.as_bytes()].concat()
    }

    #[test]
    fn a_request_is_the_same_whatever_its_id_and_another_one_in_any_other_octet() {
        let requests = [
            request(1, "what"),
            request(2, "what"),
            request(3, "What"),
            request(1, "what is"),
            request(4, "what"),
            request(5, "What"),
        ];
        assert_eq!(firsts(&requests), [None, Some(0), None, None, Some(0), Some(2)]);
    }

    #[test]
    fn what_is_no_question_is_the_same_as_nothing() {
        let longest = request(1, &"x".repeat(*SIZES.end() - 12));
        let longer = request(1, &"x".repeat(*SIZES.end() - 11));
        let requests = [vec![], vec![], vec![0; 11], vec![0; 11], longer.clone(), longer, longest.clone(), longest];
        assert_eq!(firsts(&requests), [None, None, None, None, None, None, None, Some(6)]);
        let mut repeats = Repeats::new();
        repeats.look(2, |_| &[7; 40]);
        assert_eq!(repeats.first(1), Some(0));
        repeats.clear();
        assert_eq!((repeats.first(1), repeats.first(REPEATS_MAX)), (None, None));
    }

    proptest! {
        #[test]
        fn the_first_is_the_same_and_is_none_itself(
            texts in prop::collection::vec("[ab]{0,3}", 0..=REPEATS_MAX),
        ) {
            let requests: Vec<Vec<u8>> = texts.iter().enumerate().map(|(i, text)| request(i as u8, text)).collect();
            for (i, first) in firsts(&requests).into_iter().enumerate() {
                let Some(first) = first else { continue };
                prop_assert!(first < i && requests[first][2..] == requests[i][2..]);
                prop_assert_eq!(firsts(&requests)[first], None);
            }
        }
    }
}
