// causeway pipe between real processes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "support/command.hpp"
#include "support/temp_directory.hpp"
#include "support/test_adapter.hpp"

namespace causeway::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> pipe_arguments(const std::string& socket,
                                        const std::vector<std::string>& more) {
    std::vector<std::string> arguments{program("causeway"), "pipe", "--socket", socket};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

std::string noise(std::size_t size, std::uint64_t seed) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        byte = static_cast<char>(seed >> 56);
    }
    return bytes;
}

void write_file(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

class CliPipe : public ::testing::Test {
protected:
    TestAdapter adapter_{{"a", "b"}};
    TempDirectory files_;

    [[nodiscard]] std::vector<std::string> listen() const {
        return pipe_arguments(adapter_.socket("b"), {"--listen", "files"});
    }
    [[nodiscard]] std::vector<std::string> connect() const {
        return pipe_arguments(adapter_.socket("a"), {"--connect", "b/files", "--retry", "30"});
    }
};

// An input that the test feeds.
class Feed {
public:
    Feed() {
        if (::pipe2(ends_, O_CLOEXEC) != 0)
            throw std::runtime_error("pipe2");
    }
    ~Feed() {
        ::close(ends_[0]);
        close();
    }
    [[nodiscard]] CommandOptions options(const std::string& output = "") const {
        CommandOptions options;
        options.input_fd = ends_[0];
        options.output = output;
        return options;
    }
    void write(const std::string& bytes) const {
        ASSERT_EQ(::write(ends_[1], bytes.data(), bytes.size()),
                  static_cast<ssize_t>(bytes.size()));
    }
    void close() {
        if (ends_[1] >= 0)
            ::close(std::exchange(ends_[1], -1));
    }

private:
    int ends_[2]{-1, -1};
};

TEST_F(CliPipe, CarriesBytesBothWaysAtOnce) {
    const std::string there = noise(9'000'001, 1);
    const std::string back = noise(3'333'333, 2);
    write_file(files_ / "there", there);
    write_file(files_ / "back", back);
    Command listener(listen(), {.input = files_ / "back", .output = files_ / "there.out"});
    Command connector(connect(), {.input = files_ / "there", .output = files_ / "back.out"});
    const Finished a = connector.wait();
    const Finished b = listener.wait();
    EXPECT_EQ(a.status, 0) << a.err;
    EXPECT_EQ(b.status, 0) << b.err;
    EXPECT_TRUE(read_file(files_ / "there.out") == there);
    EXPECT_TRUE(read_file(files_ / "back.out") == back);
}

TEST_F(CliPipe, CarriesATarWithTheSameChecksum) {
    const std::string script =
        "set -euo pipefail; cd \"$1\"; "
        "\"$2\" pipe --socket \"$3\" --listen tree </dev/null | sha256sum >received & "
        "tar c --sort=name -C /usr/include . | tee >(sha256sum >sent) | "
        "\"$2\" pipe --socket \"$4\" --connect b/tree --retry 30 >/dev/null; "
        "wait $!; for i in $(seq 500); do [ -s sent ] && break; sleep 0.01; done; "
        "cmp sent received";
    const auto result = run_command({"bash", "-c", script, "sh", files_.path(), program("causeway"),
                                     adapter_.socket("b"), adapter_.socket("a")});
    EXPECT_EQ(result.status, 0) << result.err;
}

TEST_F(CliPipe, EmptyStreamsEndWell) {
    Command listener(listen());
    Command connector(connect());
    EXPECT_EQ(connector.wait().status, 0);
    const Finished b = listener.wait();
    EXPECT_EQ(b.status, 0) << b.err;
    EXPECT_EQ(b.out, "");
}

TEST_F(CliPipe, OneDirectionMayEndLongBeforeTheOther) {
    Feed feed;
    Command listener(listen(), feed.options());
    Command connector(connect(), {.output = files_ / "out"});  // its input has ended already
    feed.write("first ");
    ASSERT_TRUE(eventually([&] { return read_file(files_ / "out") == "first "; }));
    EXPECT_TRUE(connector.running());
    feed.write("second");
    feed.close();
    EXPECT_EQ(connector.wait().status, 0);
    EXPECT_EQ(listener.wait().status, 0);
    EXPECT_EQ(read_file(files_ / "out"), "first second");
}

TEST_F(CliPipe, ASenderThatDiesIsAFailureAfterItsBytesWereWritten) {
    const std::string bytes = noise(60'000, 3);
    Feed feed;
    Command listener(listen(), {.output = files_ / "out"});
    Command connector(connect(), feed.options());
    feed.write(bytes);
    ASSERT_TRUE(eventually([&] { return read_file(files_ / "out").size() == bytes.size(); }));
    connector.kill(SIGKILL);
    const Finished b = listener.wait();
    EXPECT_EQ(b.status, 1);
    EXPECT_THAT(b.err, HasSubstr("a went away before the end"));
    EXPECT_TRUE(read_file(files_ / "out") == bytes);
}

TEST_F(CliPipe, AReceiverThatDiesIsAFailure) {
    Feed feed;
    Command listener(listen(), {.output = files_ / "out"});
    Command connector(connect(), feed.options());
    feed.write("something");
    ASSERT_TRUE(eventually([&] { return !read_file(files_ / "out").empty(); }));
    listener.kill(SIGKILL);
    const Finished a = connector.wait();
    EXPECT_EQ(a.status, 1);
    EXPECT_THAT(a.err, HasSubstr("b went away before the end"));
}

TEST_F(CliPipe, AnAdapterThatDiesIsAFailureOnBothSides) {
    Feed feed;
    Command listener(listen(), {.output = files_ / "out"});
    Command connector(connect(), feed.options());
    feed.write("something");
    ASSERT_TRUE(eventually([&] { return !read_file(files_ / "out").empty(); }));
    ::kill(adapter_.pid(), SIGKILL);
    const Finished a = connector.wait();
    const Finished b = listener.wait();
    EXPECT_EQ(a.status, 1);
    EXPECT_EQ(b.status, 1);
    EXPECT_THAT(a.err, HasSubstr("causeway: "));
    EXPECT_THAT(b.err, HasSubstr("causeway: "));
}

TEST_F(CliPipe, AnOutputThatWasClosedIsAFailureOnBothSides) {
    write_file(files_ / "in", noise(40'000'000, 4));
    Command listener({"bash", "-c",
                      "\"$1\" pipe --socket \"$2\" --listen files | head -c 1000; "
                      "exit ${PIPESTATUS[0]}",
                      "sh", program("causeway"), adapter_.socket("b")});
    Command connector(connect(), {.input = files_ / "in"});
    const Finished a = connector.wait();
    const Finished b = listener.wait();
    EXPECT_EQ(b.status, 1);
    EXPECT_THAT(b.err, HasSubstr("standard output was closed"));
    EXPECT_EQ(a.status, 1);
    EXPECT_THAT(a.err, HasSubstr("b could not write to its output any more"));
}

TEST_F(CliPipe, KeepServesOneAfterAnother) {
    auto arguments = listen();
    arguments.emplace_back("--keep");
    Command listener(arguments, {.output = files_ / "out"});
    std::string all;
    for (const std::string word : {"one", "two", "three"}) {
        write_file(files_ / "in", word);
        EXPECT_EQ(run_command(connect(), {.input = files_ / "in"}).status, 0);
        all += word;
        EXPECT_EQ(read_file(files_ / "out"), all);
    }
    EXPECT_TRUE(listener.running());
}

TEST_F(CliPipe, SaysWhoIsNotThere) {
    const auto nobody = run_command(pipe_arguments(adapter_.socket("a"), {"--connect", "b/files"}));
    EXPECT_EQ(nobody.status, 1);
    EXPECT_THAT(nobody.err, HasSubstr("'b'"));

    const auto nameless = run_command(pipe_arguments(adapter_.socket(), {"--listen", "x"}));
    EXPECT_EQ(nameless.status, 1);
    EXPECT_THAT(nameless.err, HasSubstr("--attach NAME"));

    const auto malformed = run_command(pipe_arguments(adapter_.socket("a"), {"--connect", "b"}));
    EXPECT_EQ(malformed.status, 1);
    EXPECT_THAT(malformed.err, HasSubstr("PARTITION/SERVICE"));
}

TEST_F(CliPipe, LeavesNothingAtTheAdapter) {
    EXPECT_EQ(adapter_.stop().status, 0);
    EXPECT_THAT(adapter_.files(), IsEmpty());
}

}  // namespace
}  // namespace causeway::test
