// causeway unit block and causeway perf block: disks come up, are listed, measured, limited and
// refused; what was mistyped is explained; and a process without io_uring does with threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <nlohmann/json.hpp>

#include "support/command.hpp"
#include "support/in_child.hpp"
#include "support/served_disk.hpp"
#include "support/test_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;

[[nodiscard]] std::vector<std::string> words_of(const std::string& socket,
                                                std::vector<std::string> words) {
    words.insert(words.begin(), program("causeway"));
    words.insert(words.end(), {"--socket", socket});
    return words;
}

class CliBlock : public testing::Test {
protected:
    [[nodiscard]] std::unique_ptr<Command> unit(std::vector<std::string> more) {
        std::vector<std::string> words{"unit", "block", "--attach", "storage"};
        words.insert(words.end(), more.begin(), more.end());
        auto command = std::make_unique<Command>(words_of(adapter_.socket(), words));
        EXPECT_TRUE(eventually([&] {
            return command->error_text().find(" is up") != std::string::npos || !command->running();
        })) << command->error_text();
        return command;
    }
    [[nodiscard]] Finished run(std::vector<std::string> words) {
        return run_command(words_of(adapter_.socket(), std::move(words)));
    }
    [[nodiscard]] Finished perf(const std::string& disk, std::vector<std::string> more = {}) {
        std::vector<std::string> words{"perf",   "block",     "--unit", "storage/" + disk,
                                       "--json", "--seconds", "0.2"};
        words.insert(words.end(), more.begin(), more.end());
        return run(words);
    }

    TestAdapter adapter_;
    ImageFile first_{4 << 20};
    ImageFile second_{1 << 20};
};

TEST_F(CliBlock, ServesSeveralDisksAndTellsWhatTheyDid) {
    auto serving = unit(
        {"--file", first_.path(), "--disk", "archive=" + second_.path() + ",read-only", "--json"});
    EXPECT_TRUE(eventually([&] {
        const std::string said = serving->error_text();
        return said.find("disk storage/disk0 is up: 4194304 bytes\n") != std::string::npos &&
               said.find("disk storage/archive is up: 1048576 bytes, read-only\n") !=
                   std::string::npos;
    })) << serving->error_text();
    const Finished listed = run({"bus", "--json"});
    const json controllers = json::parse(listed.out).at("controllers");
    ASSERT_EQ(controllers.size(), 2u);
    EXPECT_EQ(controllers[0].at("type"), "block");

    for (const char* const pattern : {"read", "randread", "write", "randwrite", "rw", "randrw"}) {
        const Finished measured = perf("disk0", {"--pattern", pattern, "--touch", "--fsync", "9"});
        ASSERT_EQ(measured.status, 0) << measured.err;
        const json figures = json::parse(measured.out);
        EXPECT_EQ(figures.at("errors"), 0);
        EXPECT_GT(figures.at("iops"), 0);
        EXPECT_EQ(figures.at("writes") > 0,
                  std::string(pattern) != "read" && std::string(pattern) != "randread");
    }
    const Finished refused = perf("archive", {"--pattern", "write"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, HasSubstr("read only"));
    EXPECT_EQ(perf("archive", {"--unregistered"}).status, 0);

    serving->kill(SIGTERM);
    const Finished ended = serving->wait();
    EXPECT_EQ(ended.status, 128 + SIGTERM) << ended.err;
    const json disks = json::parse(ended.out).at("disks");
    ASSERT_EQ(disks.size(), 2u);
    EXPECT_EQ(disks[0].at("name"), "disk0");
    EXPECT_EQ(disks[0].at("hosts").at(0).at("partition"), "perf");
    EXPECT_GT(disks[0].at("hosts").at(0).at("writes"), 0);
    EXPECT_EQ(disks[1].at("hosts").at(0).at("refused"), 1);
}

TEST_F(CliBlock, TheExampleRuns) {
    CommandOptions options;
    options.environment["CAUSEWAY_SOCKET"] = adapter_.socket();
    const Finished without = run_command({program("example_disk")}, options);
    EXPECT_EQ(without.status, 1);
    EXPECT_THAT(without.err, HasSubstr("storage"));
    auto serving = unit({"--file", first_.path()});
    const Finished result = run_command({program("example_disk")}, options);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("16 of 16 pieces are as they were written"));
}

TEST_F(CliBlock, ALimitHolds) {
    auto serving = unit({"--file", first_.path(), "--host", "perf=write,iops=200"});
    const Finished measured = perf("disk0", {"--depth", "4"});
    ASSERT_EQ(measured.status, 0) << measured.err;
    const json figures = json::parse(measured.out);
    const double reads = figures.at("reads");
    EXPECT_GT(reads, 10);
    // What its time allows, a tenth of a second's that was saved up, and those at work at the end.
    EXPECT_LE(reads, 200 * figures.at("seconds").get<double>() + 20 + 5);
}

TEST_F(CliBlock, MistakesAreExplained) {
    const auto said = [&](std::vector<std::string> more) {
        more.insert(more.begin(), {"unit", "block"});
        const Finished finished = run(more);
        EXPECT_EQ(finished.status, 1) << finished.err;
        return finished.err;
    };
    EXPECT_THAT(said({}), HasSubstr("no disk: name one with --file"));
    EXPECT_THAT(said({"--file", "/nowhere/disk.img"}), HasSubstr("cannot be opened"));
    EXPECT_THAT(said({"--disk", first_.path()}), HasSubstr("say NAME=IMAGE"));
    EXPECT_THAT(said({"--disk", "a=" + first_.path() + ",readonly"}), HasSubstr("'readonly'"));
    EXPECT_THAT(said({"--disk", "a/b=" + first_.path()}), HasSubstr("a/b"));
    EXPECT_THAT(said({"--disk", "a=" + first_.path(), "--disk", "a=" + second_.path()}),
                HasSubstr("two disks are called a"));
    EXPECT_THAT(said({"--file", first_.path(), "--host", "web"}), HasSubstr("PARTITION=read"));
    EXPECT_THAT(said({"--file", first_.path(), "--host", "web=wirte"}), HasSubstr("'wirte'"));
    EXPECT_THAT(said({"--file", first_.path(), "--host", "web=weight=0"}),
                HasSubstr("between 1 and 1000"));
    EXPECT_EQ(run({"perf", "block"}).status, 2);
    EXPECT_EQ(perf("disk0", {"--size", "64M"}).status, 2);
    EXPECT_THAT(perf("disk0").err, HasSubstr("storage"));
}

TEST_F(CliBlock, TwoProcessesDoNotServeOneImage) {
    auto serving = unit({"--file", first_.path()});
    const Finished second = run({"unit", "block", "--attach", "other", "--file", first_.path()});
    EXPECT_EQ(second.status, 1);
    EXPECT_THAT(second.err, HasSubstr("waiting up to 5 seconds"));
    EXPECT_THAT(second.err, HasSubstr("is locked: another process serves or uses it"));
}

// As in containers whose seccomp profile denies io_uring.
TEST_F(CliBlock, WithoutIoUringItSaysSoAndGoesOn) {
    in_child([&] {
        constexpr sock_filter kFilter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
        sock_filter filter[4];
        std::copy(std::begin(kFilter), std::end(kFilter), filter);
        const sock_fprog program{4, filter};
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
            std::printf("no seccomp here\n");
            ::_exit(kSkipped);
        }
        auto serving = unit({"--file", first_.path()});
        EXPECT_TRUE(eventually([&] {
            return serving->error_text().find(
                       "io_uring cannot be used here: Operation not "
                       "permitted; threads read and write instead") != std::string::npos;
        })) << serving->error_text();
        EXPECT_EQ(perf("disk0", {"--pattern", "randrw"}).status, 0);
    });
}

}  // namespace
}  // namespace causeway::test
