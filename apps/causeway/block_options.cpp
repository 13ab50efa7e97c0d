#include "block_options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/nearest.hpp"
#include "text.hpp"

namespace causeway::cli {
namespace {

using io::block::Grant;

[[nodiscard]] std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        parts.push_back(text.substr(at, comma - at));
        at = comma + 1;
    }
    return parts;
}

[[nodiscard]] tl::unexpected<Error> strange(const std::string& word, const std::string& text,
                                            const std::string& known) {
    return fail(ErrorCode::invalid_argument,
                "'" + word + "' in '" + text + "' means nothing: there are " + known);
}

[[nodiscard]] Result<std::uint64_t> number_of(const std::string& word, std::uint64_t most) {
    CW_TRY_ASSIGN(const std::uint64_t number, parse_size(word));
    if (number == 0 || number > most) {
        return fail(ErrorCode::invalid_argument,
                    word + " is not between 1 and " + std::to_string(most));
    }
    return number;
}

}  // namespace

Result<DiskOptions> parse_disk(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
        return fail(ErrorCode::invalid_argument,
                    "'" + text + "' is no disk: say NAME=IMAGE[,read-only][,direct-io]");
    }
    DiskOptions disk;
    disk.name = text.substr(0, equals);
    const auto parts = split(text.substr(equals + 1));
    disk.file = parts.front();
    for (std::size_t i = 1; i < parts.size(); ++i) {
        if (parts[i] == "read-only")
            disk.read_only = true;
        else if (parts[i] == "direct-io")
            disk.direct_io = true;
        else
            return strange(parts[i], text, "read-only and direct-io");
    }
    return disk;
}

Result<std::pair<std::string, io::block::HostTerms>> parse_host(
    const std::string& text, const io::block::HostTerms& others) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
        return fail(ErrorCode::invalid_argument,
                    "'" + text + "' says nothing of a host: say PARTITION=read, for instance");
    }
    io::block::HostTerms terms = others;
    for (const std::string& part : split(text.substr(equals + 1))) {
        constexpr std::array<std::pair<std::string_view, Grant>, 4> kGrants{
            {{"none", Grant::none},
             {"read", Grant::read},
             {"write", Grant::write},
             {"shared", Grant::shared}}};
        const auto* const grant = std::find_if(
            kGrants.begin(), kGrants.end(), [&](const auto& each) { return each.first == part; });
        const std::size_t at = part.find('=');
        const std::string key = part.substr(0, at);
        const std::string value = at == std::string::npos ? std::string() : part.substr(at + 1);
        if (grant != kGrants.end()) {
            terms.grant = grant->second;
        } else if (key == "weight") {
            CW_TRY_ASSIGN(const auto weight, number_of(value, 1000));
            terms.allowance.weight = static_cast<std::uint32_t>(weight);
        } else if (key == "iops") {
            CW_TRY_ASSIGN(terms.allowance.requests, number_of(value, 1'000'000'000));
        } else if (key == "bandwidth") {
            CW_TRY_ASSIGN(terms.allowance.bytes, number_of(value, std::uint64_t{1} << 40));
        } else {
            return strange(part, text,
                           "none, read, write, shared, weight=N, iops=N and bandwidth=BYTES");
        }
    }
    return std::pair{text.substr(0, equals), terms};
}

}  // namespace causeway::cli
