// Values that name things of a machine: processors and network addresses.
#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/names.hpp"
#include "config/values.hpp"
#include "platform/cpu.hpp"
#include "platform/files.hpp"

namespace causeway::config {
namespace {

constexpr unsigned kMostCore = 4095;
constexpr char kCoresWanted[] = "core numbers: an array such as [0, 2], or text such as \"0-3,5\"";

[[nodiscard]] std::optional<unsigned> core_number(std::string_view text) {
    unsigned number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end || number > kMostCore)
        return std::nullopt;
    return number;
}

// "0-3,5"; nothing where that is no such list.
[[nodiscard]] std::optional<std::vector<unsigned>> core_list(std::string_view text) {
    std::vector<unsigned> cores;
    while (!text.empty()) {
        const std::string_view item = platform::next_token(text, ',');
        const std::size_t dash = item.find('-');
        const auto first = core_number(item.substr(0, dash));
        const auto last =
            dash == std::string_view::npos ? first : core_number(item.substr(dash + 1));
        if (!first || !last || *last < *first)
            return std::nullopt;
        for (unsigned core = *first; core <= *last; ++core)
            cores.push_back(core);
    }
    return cores;
}

[[nodiscard]] std::optional<std::vector<unsigned>> cores_of(Draft& draft, const Value& value) {
    if (value.kind == Value::Kind::text) {
        auto cores = core_list(value.text);
        if (!cores)
            draft.problems.error(value.at,
                                 value.path + " is " + shown(value) + ", no list of cores",
                                 "write it as \"0-3,5\" or [0, 1, 2, 3, 5]");
        return cores;
    }
    if (value.kind != Value::Kind::array) {
        wrong_type(draft, value, kCoresWanted,
                   value.kind == Value::Kind::integer
                       ? "write " + value.key + " = [" + shown(value) + "]"
                       : "");
        return std::nullopt;
    }
    std::vector<unsigned> cores;
    bool good = true;
    for (const Value& item : value.items) {
        const auto core = read_number(draft, item, {0, kMostCore});
        good = good && core.has_value();
        if (good)
            cores.push_back(*core);
    }
    return good ? std::optional(cores) : std::nullopt;
}

[[nodiscard]] std::string numbers(const std::vector<unsigned>& list) {
    std::string out;
    for (const unsigned each : list)
        out += (out.empty() ? "" : ",") + std::to_string(each);
    return out;
}

[[nodiscard]] bool is_address(const std::string& host) {
    unsigned char parsed[sizeof(in6_addr)];
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        return ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), parsed) == 1;
    return host == "localhost" || ::inet_pton(AF_INET, host.c_str(), parsed) == 1;
}

}  // namespace

std::optional<std::vector<unsigned>> read_cores(Draft& draft, const Value& value) {
    auto cores = cores_of(draft, value);
    if (!cores)
        return std::nullopt;
    const std::vector<unsigned> allowed = platform::allowed_cpus();
    for (const unsigned core : *cores) {
        if (std::find(allowed.begin(), allowed.end(), core) != allowed.end())
            continue;
        draft.problems.warning(value.at,
                               value.path + " names core " + std::to_string(core) +
                                   ", which this process may not use here",
                               "here there are " + numbers(allowed));
        break;
    }
    return cores;
}

std::optional<std::string> read_endpoint(Draft& draft, const Value& value) {
    auto text = read_text(draft, value);
    if (!text || text->empty())
        return text;
    const std::size_t colon = text->rfind(':');
    const std::string host = text->substr(0, colon);
    unsigned port = 0;
    bool good = colon != std::string::npos && is_address(host);
    if (good) {
        const char* const end = text->data() + text->size();
        const auto [stop, error] = std::from_chars(text->data() + colon + 1, end, port);
        good = error == std::errc{} && stop == end && port <= 65535;  // 0: the system chooses
    }
    if (good)
        return text;
    draft.problems.error(value.at,
                         value.path + " is " + shown(value) + ", which is no ADDRESS:PORT",
                         "write \"127.0.0.1:9464\", or \"[::1]:9464\"");
    return std::nullopt;
}

}  // namespace causeway::config
