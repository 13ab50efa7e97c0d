// The small things that tell about the machine and this process: clock, cpu, limits, files, fd.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <thread>
#include <utility>
#include <vector>

#include "platform/clock.hpp"
#include "platform/cpu.hpp"
#include "platform/fd.hpp"
#include "platform/files.hpp"
#include "platform/limits.hpp"
#include "platform/mapping.hpp"
#include "support/temp_directory.hpp"

namespace causeway::platform {
namespace {

bool closed(int fd) { return ::fcntl(fd, F_GETFD) == -1 && errno == EBADF; }

TEST(UniqueFd, ClosesWhatItOwnsOnce) {
    const int raw = ::open("/dev/null", O_RDONLY);
    {
        UniqueFd first(raw);
        UniqueFd second = std::move(first);
        EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): that is the question
        EXPECT_EQ(second.get(), raw);
        UniqueFd& itself = second;
        second = std::move(itself);
        EXPECT_FALSE(closed(raw));
        second.reset(raw);
        EXPECT_FALSE(closed(raw)) << "the same one";
    }
    EXPECT_TRUE(closed(raw));
}

TEST(UniqueFd, ReleaseAndReset) {
    UniqueFd fd(::open("/dev/null", O_RDONLY));
    const int raw = fd.release();
    EXPECT_FALSE(fd.valid());
    EXPECT_FALSE(closed(raw));
    fd.reset(raw);
    errno = ERANGE;
    fd.reset();
    EXPECT_EQ(errno, ERANGE) << "errno is kept";
    EXPECT_TRUE(closed(raw));
}

TEST(Clock, TicksKeepPaceWithTheMonotonicClock) {
    calibrate_ticks();
    const std::uint64_t ns = monotonic_ns();
    const std::uint64_t start = ticks();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::uint64_t slept_ticks = ticks_to_ns(ticks() - start);
    const std::uint64_t slept = monotonic_ns() - ns;
    // Asleep too: a counter that stops in idle would show. The two are read one after the other,
    // and anything may come between; half is far beyond that.
    EXPECT_GT(slept_ticks, slept / 2);
    EXPECT_LE(slept_ticks, slept + slept / 50);
}

TEST(Clock, ConvertsBothWays) {
    for (const std::uint64_t ns : {0ull, 1'000ull, 1'000'000'000ull, 86'400'000'000'000ull}) {
        const std::uint64_t there_and_back = ticks_to_ns(ns_to_ticks(ns));
        EXPECT_NEAR(static_cast<double>(there_and_back), static_cast<double>(ns),
                    static_cast<double>(ns) * 1e-6 + 2);
    }
}

TEST(Cpu, PinsWhereItMay) {
    std::thread([] {
        const std::vector<unsigned> allowed = allowed_cpus();
        ASSERT_FALSE(allowed.empty());
        EXPECT_TRUE(std::is_sorted(allowed.begin(), allowed.end()));
        ASSERT_TRUE(pin_thread(allowed.back()).has_value());
        EXPECT_EQ(static_cast<unsigned>(::sched_getcpu()), allowed.back());
        EXPECT_EQ(allowed_cpus(), std::vector<unsigned>{allowed.back()});
    }).join();
    for (const unsigned cpu : {60'000u, 4'000'000'000u}) {
        const auto result = pin_thread(cpu);
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
        EXPECT_NE(result.error().text.find("it may run on: "), std::string::npos);
    }
}

TEST(Cpu, AgreesWithProc) {
    std::ifstream info("/proc/cpuinfo");
    if (!info)
        GTEST_SKIP() << "no /proc/cpuinfo";
    const std::string text((std::istreambuf_iterator<char>(info)), {});
    EXPECT_GE(online_cpus(), 1u);
    EXPECT_NE(text.find(cpu_model()), std::string::npos) << cpu_model();
    EXPECT_EQ(cpu_identity().rfind(cpu_model(), 0), 0u) << cpu_identity();
    const auto number_of = [&](const char* key) {
        const std::size_t line = text.find(std::string("\n") + key + "\t");
        const std::size_t colon = text.find(": ", line);
        return text.substr(colon + 2, text.find('\n', colon) - colon - 2);
    };
    const std::size_t at = text.find("\nflags");
    if (at == std::string::npos)
        GTEST_SKIP() << "no flags on this architecture";
    EXPECT_EQ(cpu_identity(), cpu_model() + ", family " + number_of("cpu family") + " model " +
                                  number_of("model") + " stepping " + number_of("stepping"));
    const std::string flags = text.substr(at, text.find('\n', at + 1) - at) + " ";
    const CpuFeatures& features = cpu_features();
    EXPECT_EQ(features.avx, flags.find(" avx ") != std::string::npos);
    EXPECT_EQ(features.avx2, flags.find(" avx2 ") != std::string::npos);
    EXPECT_EQ(features.avx512f, flags.find(" avx512f ") != std::string::npos);
    EXPECT_EQ(features.erms, flags.find(" erms ") != std::string::npos);
    EXPECT_EQ(features.fsrm, flags.find(" fsrm ") != std::string::npos);
    EXPECT_EQ(features.clwb, flags.find(" clwb ") != std::string::npos);
}

TEST(Limits, CountsDescriptorsAndMappings) {
    const auto files = open_file_count();
    const auto mappings = mapping_count();
    if (!files.has_value() || !mappings.has_value())
        GTEST_SKIP() << "no /proc here";
    {
        const UniqueFd one(::open("/dev/null", O_RDONLY));
        const UniqueFd two(::dup(one.get()));
        EXPECT_EQ(open_file_count(), *files + 2);
    }
    EXPECT_EQ(open_file_count(), files);

    std::vector<Mapping> made;
    for (int i = 0; i < 100; ++i) {
        made.push_back(Mapping::reserve(4096).value());
        // Alternating access keeps the kernel from merging neighbours.
        if (i % 2 == 0) {
            ASSERT_EQ(::mprotect(made.back().data(), 4096, PROT_READ), 0);
        }
    }
    EXPECT_GE(mapping_count(), *mappings + 50);
    EXPECT_GE(max_map_count(), *mappings);
}

TEST(Limits, RaisesTheFileLimitToTheHardOne) {
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlimit lower{std::min<rlim_t>(limit.rlim_cur, 256), limit.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &lower), 0);
    EXPECT_EQ(open_file_limit(), lower.rlim_cur);
    EXPECT_EQ(raise_open_file_limit(), limit.rlim_max);
    EXPECT_EQ(open_file_limit(), limit.rlim_max);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
}

TEST(Files, SettingsAreOrdinaryFilesOfLimitedSize) {
    const test::TempDirectory directory;
    const std::string path = directory / "settings";
    std::ofstream(path) << std::string(100, 'x');
    EXPECT_EQ(read_settings_file(path, 100), std::string(100, 'x'));
    const auto longer = read_settings_file(path, 99);
    ASSERT_FALSE(longer.has_value());
    EXPECT_NE(longer.error().text.find(path), std::string::npos);
    EXPECT_NE(longer.error().text.find("99 bytes"), std::string::npos);
    const std::string pipe = directory / "pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_FALSE(read_settings_file(pipe, 100).has_value());
    EXPECT_FALSE(read_settings_file(directory.path(), 100).has_value());
    EXPECT_FALSE(read_settings_file(directory / "missing", 100).has_value());
    EXPECT_FALSE(read_settings_file("/dev/zero", 100).has_value());
}

TEST(Files, ReadsWhatHasNoSize) {
    EXPECT_FALSE(read_small_file("/nowhere/at/all").has_value());
    EXPECT_FALSE(read_small_file("/").has_value()) << "a directory";
    const test::TempDirectory directory;
    const std::string path = directory / "file";
    std::ofstream(path) << std::string(10'000, 'x');
    EXPECT_EQ(read_small_file(path.c_str()), std::string(10'000, 'x'));
}

TEST(Files, ParsesNumbersAndTokens) {
    EXPECT_EQ(leading_number("123\n"), 123u);
    EXPECT_EQ(leading_number("18446744073709551615"), UINT64_MAX);
    EXPECT_FALSE(leading_number("18446744073709551616").has_value());
    EXPECT_FALSE(leading_number("max\n").has_value());
    EXPECT_FALSE(leading_number("-1").has_value());
    EXPECT_FALSE(leading_number("").has_value());
    std::string_view rest = "a::b";
    EXPECT_EQ(next_token(rest, ':'), "a");
    EXPECT_EQ(next_token(rest, ':'), "");
    EXPECT_EQ(next_token(rest, ':'), "b");
    EXPECT_TRUE(rest.empty());
}

}  // namespace
}  // namespace causeway::platform
