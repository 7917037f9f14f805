/// Waiting work of many groups, taken from each group in turn, so that one with much work does not stand before the
/// others. Within a group the first come is the first served.
struct FairQueue<Group: Hashable & Sendable, Element: Hashable & Sendable>: Sendable {
    /// Groups with something waiting; whose turn it is comes first.
    private var turns: [Group] = []
    private var waiting: [Group: [Element]] = [:]

    var isEmpty: Bool { turns.isEmpty }

    mutating func append(_ element: Element, of group: Group) {
        if waiting[group] == nil { turns.append(group) }
        waiting[group, default: []].append(element)
    }

    /// The next element of the first group in turn that may have one; that group's next turn is after all others'.
    mutating func next(where mayHave: (Group) -> Bool) -> (element: Element, group: Group)? {
        guard let index = turns.firstIndex(where: mayHave) else { return nil }
        let group = turns.remove(at: index)
        guard var elements = waiting.removeValue(forKey: group), !elements.isEmpty else {
            assertionFailure("a group without work had a turn")
            return nil
        }
        let element = elements.removeFirst()
        if !elements.isEmpty {
            waiting[group] = elements
            turns.append(group)
        }
        return (element, group)
    }

    /// An element that does not wait any more.
    mutating func remove(_ element: Element, of group: Group) {
        guard var elements = waiting[group] else { return }
        elements.removeAll { $0 == element }
        waiting[group] = elements.isEmpty ? nil : elements
        if elements.isEmpty { turns.removeAll { $0 == group } }
    }
}
