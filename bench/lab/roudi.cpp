#include "lab/roudi.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <utility>

namespace causeway::bench {
namespace {

constexpr double kStartSeconds = 60;  // it fills its memory first

// Bytes of a chunk, a multiple of 32, and how many. A message takes its size and some for headers.
constexpr std::pair<std::uint64_t, unsigned> kPools[] = {
    {1 << 10, 4096},          {(16 << 10) + 1024, 512}, {(64 << 10) + 1024, 128},
    {(256 << 10) + 1024, 64}, {(1 << 20) + 1024, 48},   {(4 << 20) + 1024, 32},
    {(16 << 20) + 1024, 24},  {(64 << 20) + 1024, 12},
};

}  // namespace

Result<Roudi> Roudi::start(const std::string& directory) {
    const std::string path = directory + "/roudi.toml";
    {
        std::ofstream file(path);
        file << "[general]\nversion = 1\n[[segment]]\n";
        for (const auto& [size, count] : kPools)
            file << fmt::format("[[segment.mempool]]\nsize = {}\ncount = {}\n", size, count);
        if (!file.flush())
            return fail(ErrorCode::system, path + " cannot be written");
    }
    // Not watching its clients: while they spin, their keep-alive thread may get no core in time.
    CW_TRY_ASSIGN(Process process,
                  Process::start({.words = {"iox-roudi", "-c", path, "-m", "off", "-l", "warning"},
                                  .death_signal = SIGTERM}));
    const auto ready = process.wait_for("RouDi is ready", kStartSeconds);
    (void)std::remove(path.c_str());
    if (!ready.has_value())
        return fail_within("iox-roudi did not come up", ready.error());
    return Roudi(std::move(process));
}

}  // namespace causeway::bench
