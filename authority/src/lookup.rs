//! Finding a name in a zone: one probe for a hit, at most one for each label for a miss.

use nss_wire::RType;

use crate::arena::{Node, NodeKind};
use crate::suffixes::Suffixes;
use crate::table::Slots;

/// Where a name stands in a zone, as the algorithm of RFC 1034 §4.3.2 sees it.
#[derive(Clone, Copy)]
pub(crate) enum Found<'z> {
    /// The name exists and is not below a cut; at a cut its kind is [`NodeKind::Delegation`].
    Exact(Node<'z>),
    /// The name stands below this delegation, whether there is data or not.
    BelowCut(Node<'z>),
    /// The name stands below the owner of a DNAME record.
    Redirected(Node<'z>),
    /// The name doesn't exist, but its closest encloser has this wildcard (RFC 4592 §3.3.1).
    Wildcard(Node<'z>),
    /// Neither the name nor a wildcard for it exists; this is its closest encloser.
    Missing(Node<'z>),
}

/// Finds a name at or below the apex; the suffix of `apex_labels` labels is the apex.
#[inline]
pub(crate) fn find<'z>(tables: Tables<'z>, suffixes: &Suffixes) -> Found<'z> {
    match in_table(tables, suffixes) {
        InTable::Exact(node) => match node.cut() {
            Some(cut) => below(cut),
            None => Found::Exact(node),
        },
        InTable::Below(encloser) => match encloser.kind() {
            NodeKind::Delegation | NodeKind::Dname => below(encloser),
            NodeKind::Occluded => encloser.cut().map_or(Found::Missing(encloser), below),
            NodeKind::Apex if encloser.rrset(RType::DNAME).is_some() => below(encloser),
            NodeKind::Apex | NodeKind::Ordinary | NodeKind::EmptyNonTerminal => {
                encloser.wildcard().map_or(Found::Missing(encloser), Found::Wildcard)
            }
        },
    }
}

/// What stands below `cut`.
fn below(cut: Node<'_>) -> Found<'_> {
    match cut.kind() {
        NodeKind::Delegation => Found::BelowCut(cut),
        NodeKind::Apex | NodeKind::Ordinary | NodeKind::EmptyNonTerminal | NodeKind::Occluded | NodeKind::Dname => {
            Found::Redirected(cut)
        }
    }
}

/// What the table itself knows of a name.
#[derive(Clone, Copy)]
pub(crate) enum InTable<'z> {
    /// The name has a node.
    Exact(Node<'z>),
    /// It has none; this is the closest encloser, the nearest ancestor with a node.
    Below(Node<'z>),
}

/// Where the nodes of a zone are and what finds them.
#[derive(Clone, Copy)]
pub(crate) struct Tables<'z> {
    pub(crate) arena: &'z [u8],
    pub(crate) slots: Slots<'z>,
    pub(crate) apex: u32,
    pub(crate) apex_labels: usize,
}

/// Looks a name and its ancestors up, the longest first.
#[inline]
pub(crate) fn in_table<'z>(tables: Tables<'z>, suffixes: &Suffixes) -> InTable<'z> {
    let labels = suffixes.label_count();
    if let Some(node) = tables.probe(suffixes, labels) {
        return InTable::Exact(node);
    }
    let encloser = (tables.apex_labels + 1..labels).rev().find_map(|n| tables.probe(suffixes, n));
    InTable::Below(encloser.unwrap_or(Node::at(tables.arena, tables.apex)))
}

impl<'z> Tables<'z> {
    /// The node of the last `labels` labels of a name.
    #[inline(always)]
    fn probe(self, suffixes: &Suffixes, labels: usize) -> Option<Node<'z>> {
        let is_it = |offset| Node::at(self.arena, offset).is_owned_by(suffixes.wire(labels));
        self.slots.find(suffixes.hash(labels), is_it).map(|offset| Node::at(self.arena, offset))
    }
}

impl<'z> InTable<'z> {
    /// The node whose addresses a host of this name has, and the delegation that it stands at or below.
    pub(crate) fn host(self) -> (Option<Node<'z>>, Option<Node<'z>>) {
        let delegation = |node: Node<'z>| (node.kind() == NodeKind::Delegation).then_some(node);
        match self {
            InTable::Exact(node) => match node.cut() {
                Some(cut) => (delegation(cut).map(|_| node), delegation(cut)),
                None => (Some(node), delegation(node)),
            },
            InTable::Below(encloser) => match encloser.cut().or(delegation(encloser)) {
                Some(cut) => (None, delegation(cut)),
                None if self.is_redirected() => (None, None),
                None => (encloser.wildcard(), None),
            },
        }
    }

    /// Whether the name stands below the owner of a DNAME record.
    pub(crate) fn is_redirected(self) -> bool {
        let has_dname = |node: Node<'_>| match node.kind() {
            NodeKind::Dname => true,
            NodeKind::Apex => node.rrset(RType::DNAME).is_some(),
            NodeKind::Ordinary | NodeKind::EmptyNonTerminal | NodeKind::Delegation | NodeKind::Occluded => false,
        };
        match self {
            InTable::Exact(node) => node.cut().is_some_and(has_dname),
            InTable::Below(encloser) => encloser.cut().map_or(has_dname(encloser), has_dname),
        }
    }
}
