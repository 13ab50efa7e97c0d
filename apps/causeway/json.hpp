// JSON on standard output.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace causeway::cli {

using nlohmann::json;

// Bytes that are no UTF-8 become U+FFFD instead of an exception.
inline void print_json(const json& value) {
    fmt::print("{}\n", value.dump(2, ' ', false, json::error_handler_t::replace));
}

}  // namespace causeway::cli
