#include "ipc/link_table.hpp"

#include <algorithm>
#include <utility>

namespace causeway::ipc::inner {

bool LinkTable::add(std::unique_ptr<Link> link) {
    auto free = std::find_if(entries_.begin(), entries_.end(),
                             [](const Entry& entry) { return !entry.link; });
    if (free == entries_.end()) {
        if (entries_.size() == kMost)
            return false;
        entries_.emplace_back();
        free = entries_.end() - 1;
    }
    link->index = static_cast<std::uint32_t>(free - entries_.begin());
    free->link = std::move(link);
    return true;
}

Link* LinkTable::holder_of(std::uint64_t token) const noexcept {
    const auto index = static_cast<std::uint16_t>(token >> 32);
    const auto lap = static_cast<std::uint16_t>(token >> 48);
    if (index >= entries_.size() || entries_[index].lap != lap || !entries_[index].link)
        return nullptr;
    Link* const link = entries_[index].link.get();
    return link->held(buffer_of(token)) ? link : nullptr;
}

void LinkTable::sweep() noexcept {
    for (Entry& entry : entries_) {
        if (!entry.link || !entry.link->ended() || entry.link->holds() != 0)
            continue;
        entry.link.reset();
        ++entry.lap;
    }
}

std::uint32_t LinkTable::living() const noexcept {
    return static_cast<std::uint32_t>(
        std::count_if(entries_.begin(), entries_.end(), [](const Entry& entry) {
            return entry.link && entry.link->greeted() && !entry.link->ended();
        }));
}

}  // namespace causeway::ipc::inner
