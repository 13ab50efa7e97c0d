// How rows of stats become a page: what the handlers of stats share.
//
// Threading: control thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "adapter/requests.hpp"
#include "base/names.hpp"

namespace causeway::adapter {

template<typename Row>
inline constexpr std::size_t kMostRows = (abi::kMaxMessage - sizeof(abi::StatsReply)) / sizeof(Row);

inline void put(std::span<char> field, std::string_view text) {
    // Names fit; what does not is cut, as it is only shown.
    (void)store_text(field, text.substr(0, field.size() - 1));
}

template<typename Row>
Reply page(const abi::Header& request, const std::vector<Row>& rows, std::uint32_t next) {
    auto head = control::make_reply<abi::StatsReply>(request);
    head.header.size = static_cast<std::uint32_t>(sizeof head + rows.size() * sizeof(Row));
    head.rows = static_cast<std::uint32_t>(rows.size());
    head.row_size = sizeof(Row);
    head.next = next;
    Reply reply = Reply::of(head);
    const auto bytes = std::as_bytes(std::span(rows));
    reply.bytes.insert(reply.bytes.end(), bytes.begin(), bytes.end());
    return reply;
}

// Walks an ordered container from `cursor` on. `fill(element, row)` says whether there is a row to
// show; `key(element)` is what a cursor counts.
template<typename Row, typename Container, typename Key, typename Fill>
std::uint32_t collect(const Container& container, std::uint32_t cursor, std::vector<Row>& rows,
                      Key key, Fill fill) {
    for (auto it = container.lower_bound(cursor); it != container.end(); ++it) {
        if (rows.size() == kMostRows<Row>)
            return key(*it);
        Row row{};
        if (fill(*it, row))
            rows.push_back(row);
    }
    return 0;
}

inline constexpr auto kMapKey = [](const auto& entry) { return entry.first; };
inline constexpr auto kSetKey = [](const auto& entry) { return entry; };

// requests_figures.cpp: rows of abi/figures.hpp.
[[nodiscard]] Answer figures(const Call& call, const abi::StatsRequest& request);

}  // namespace causeway::adapter
