// Named segments in tests: how one is configured, asked for and looked at.
#pragma once

#include <causeway/abi/segment.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/names.hpp"
#include "config/config.hpp"
#include "control/message.hpp"

namespace causeway::test {

[[nodiscard]] inline config::Segment segment(std::string name, std::uint64_t size,
                                             std::vector<std::string> readers,
                                             std::vector<std::string> writers) {
    return {std::move(name), size, std::move(readers), std::move(writers)};
}

[[nodiscard]] inline abi::OpenSegmentRequest open_segment_request(const std::string& name,
                                                                  abi::SegmentAccess access) {
    auto request = control::make<abi::OpenSegmentRequest>(abi::Request::open_segment, 11);
    store_text(request.name, name).value();
    request.access = static_cast<std::uint32_t>(access);
    return request;
}

[[nodiscard]] inline abi::SegmentRequest segment_request(abi::Request type, std::uint32_t segment) {
    auto request = control::make<abi::SegmentRequest>(type, 12);
    request.segment = segment;
    return request;
}

}  // namespace causeway::test
