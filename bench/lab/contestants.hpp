// Who is measured: one entry for each data path, as data. A new peer is a program in bench/peers/
// and an entry here.
//
// Threading: all functions are pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "perf/plan.hpp"

namespace causeway::bench {

enum class Kind {
    causeway,
    limit,  // what the machine can do without protection or checks
    peer,   // through a driver in bench/peers/
    tool,   // through the peer's own benchmark
};
[[nodiscard]] std::string_view name(Kind kind);

// What must run beside it.
enum class Service { none, adapter, roudi };

// How the two ends wait in a group of measurements.
enum class Waiting { spin, block };
[[nodiscard]] std::string_view name(Waiting waiting);

struct Contestant {
    std::string id;     // as --peers takes it; peers of one program share the part before '-'
    std::string title;  // as tables show it
    Kind kind = Kind::peer;
    std::string program;  // beside this one, or for a tool in $PATH
    std::vector<std::string> arguments{};
    std::vector<std::pair<std::string, std::string>> environment{};
    std::vector<perf::Test> tests{perf::Test::latency, perf::Test::rate, perf::Test::bandwidth};
    // What it is told to do in groups that spin: a path that cannot spin blocks there too. Empty:
    // it has no part in them.
    std::string wait_in_spin = "spin";
    bool can_block = false;
    bool can_read = true;     // can the receiver be made to read every byte?
    bool owns = true;         // does the receiver get the message in memory of its own?
    std::uint64_t least = 1;  // bytes of a message
    std::uint64_t most = UINT64_MAX;
    Service service = Service::none;
    std::string package{};  // of Debian, that it needs
    std::string note{};     // for the reader of the table

    [[nodiscard]] bool takes_part(perf::Test test, std::uint64_t size, Waiting waiting) const;
};

[[nodiscard]] std::vector<Contestant> all_contestants();

// Those whose id, or its part before the first '-', is in `names`; all of them for no names.
[[nodiscard]] std::vector<Contestant> choose_contestants(const std::vector<std::string>& names);

}  // namespace causeway::bench
