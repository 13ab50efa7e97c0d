// Who may do what to whom by which executor, cell by cell, against a configuration file; and every
// denial names its rule, or that there is none.
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <causeway/causeway.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "support/command.hpp"
#include "support/configured_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr char kRules[] = R"(
[partition.anna]
[partition.bert]
[partition.cora]
[[allow]]
name = "anna writes to bert"
from = "anna"
to = "bert"
operations = ["connect", "send", "write"]
[[allow]]
name = "bert answers"
from = "bert"
to = "anna"
operations = ["send", "read"]
[[allow]]
name = "bert and cora share"
from = "bert"
to = "cora"
operations = "all"
mutual = true
executor = "direct"
)";

// The same table once more, in the simplest words: from, to -> by adapter (connect, send, write,
// read, append), and direct.
struct Cell {
    const char* adapter;
    bool direct;
};
const std::map<std::string, Cell> kTable = {
    {"anna bert", {"connect send write", false}},
    {"anna cora", {"", false}},
    {"bert anna", {"send read", false}},
    {"bert cora", {"connect send write read append", true}},
    {"cora anna", {"", false}},
    {"cora bert", {"connect send write read append", true}},
};

struct Party {
    Party(const ConfiguredAdapter& adapter, const std::string& name)
        : partition(Partition::attach("", {.socket = adapter.socket(name)}).value()),
          memory(partition
                     .allocate(64 << 10, Access::remote_write | Access::remote_read |
                                             Access::append | Access::exportable)
                     .value()),
          queue(partition.create_completion_queue(64).value()),
          listener(partition.listen("door").value()) {}

    QueuePair pair(const char* executor) {
        return partition.create_queue_pair({.completions = queue, .executor = executor}).value();
    }
    // The next completion of a send.
    Status outcome() {
        for (int i = 0; i < 500; ++i) {
            for (const Completion& done : queue.wait(10ms)) {
                if (done.opcode() != Opcode::receive)
                    return done.status();
            }
        }
        return Status::flushed;
    }
    Partition partition;
    Region memory;
    CompletionQueue queue;
    Listener listener;
};

// What `from` gets for each operation over `pair`.
std::map<std::string, Status> tried(Party& from, QueuePair& pair, Party& to, QueuePair& other) {
    std::map<std::string, Status> got;
    const Slice slice = from.memory.slice(0, 64);
    other.post_receive(to.memory.slice(0, 64), 9).value();
    pair.post_send(slice, 1).value();
    got["send"] = from.outcome();
    pair.post_write(slice, to.memory.remote(), 2).value();
    got["write"] = from.outcome();
    pair.post_read(slice, to.memory.remote(), 3).value();
    got["read"] = from.outcome();
    pair.post_append(slice, to.memory.remote(), 4).value();
    got["append"] = from.outcome();
    return got;
}

const std::map<std::string, Opcode> kOpcodes = {{"send", Opcode::send},
                                                {"write", Opcode::write},
                                                {"read", Opcode::read},
                                                {"append", Opcode::append}};

void expect_row(const std::string& key, const std::map<std::string, Status>& got, QueuePair& pair) {
    const std::string allowed = kTable.at(key).adapter;
    for (const auto& [operation, status] : got) {
        const bool may = allowed.find(operation) != std::string::npos;
        EXPECT_EQ(status, may ? Status::success : Status::denied) << key << " " << operation;
        const std::string why = pair.explain(kOpcodes.at(operation)).value();
        EXPECT_NE(why.find(may ? "rule '" : "no rule"), std::string::npos) << why;
    }
}

class PolicyMatrix : public testing::TestWithParam<std::string> {};

TEST_P(PolicyMatrix, EveryCellIsAsTheFileSays) {
    ConfiguredAdapter configured(kRules);
    std::map<std::string, std::unique_ptr<Party>> parties;
    for (const char* name : {"anna", "bert", "cora"})
        parties[name] = std::make_unique<Party>(configured, name);
    const std::string executor = GetParam();
    for (const auto& [key, cell] : kTable) {
        Party& from = *parties.at(key.substr(0, 4));
        Party& to = *parties.at(key.substr(5));
        const std::string back = key.substr(5) + " " + key.substr(0, 4);
        QueuePair pair = from.pair(executor.c_str());
        QueuePair other = to.pair(nullptr);
        const bool may = executor == "direct"
                             ? cell.direct
                             : std::string(cell.adapter).find("connect") != std::string::npos;
        const auto connected = pair.connect(key.substr(5) + "/door", 0ns);
        ASSERT_EQ(connected.has_value(), may) << key;
        if (!may) {
            EXPECT_EQ(connected.error().code, ErrorCode::denied);
            EXPECT_NE(connected.error().text.find("no rule"), std::string::npos)
                << connected.error().text;
            continue;
        }
        to.listener.accept(other, 10s).value();
        for (int i = 0; i < 500 && pair.state() != QueuePair::State::connected; ++i)
            (void)from.queue.wait(10ms);
        ASSERT_EQ(pair.executor(), executor);
        expect_row(key, tried(from, pair, to, other), pair);
        expect_row(back, tried(to, other, from, pair), other);
    }
    EXPECT_NE(configured.audited().find(R"("event":"connect","decision":"denied")"),
              std::string::npos);
    if (executor == "adapter") {
        EXPECT_NE(configured.audited().find(R"("operation":"append")"), std::string::npos);
    }
}

INSTANTIATE_TEST_SUITE_P(Executors, PolicyMatrix, testing::Values("adapter", "direct"),
                         [](const auto& executor) { return executor.param; });

// As whom a child attaches by an entrance: its exit status is 0 where it was admitted, 1 where it
// was denied by the partition's rule, 2 otherwise.
int attach_as(const std::string& entrance, uid_t uid, gid_t gid, const char* token) {
    const pid_t child = ::fork();
    if (child == 0) {
        // The runtime directory is closed to others, as it would be without a mount: from inside.
        const bool there = ::chdir(entrance.c_str()) == 0 && ::setgroups(0, nullptr) == 0 &&
                           ::setresgid(gid, gid, gid) == 0 && ::setresuid(uid, uid, uid) == 0;
        if (token != nullptr)
            ::setenv("CAUSEWAY_TOKEN_FILE", token, 1);
        const auto partition = Partition::attach("", {.socket = "./fabric.sock"});
        if (!there)
            ::_exit(2);
        if (partition)
            ::_exit(0);
        const bool named = partition.error().text.find("rule 'partition ") != std::string::npos;
        ::_exit(partition.error().code == ErrorCode::denied && named ? 1 : 2);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

TEST(PolicyIdentity, EveryUserAtEveryEntranceIsAsTheFileSays) {
    if (::geteuid() != 0)
        GTEST_SKIP() << "changing users takes root";
    const TempDirectory tokens;
    std::ofstream(tokens / "token") << "sesame\n";
    ConfiguredAdapter configured(
        "[partition.one]\nuid = 1001\n[partition.two]\nuid = 1002\ngid = 2002\n"
        "[partition.key]\ntoken_file = \"" +
        (tokens / "token") + "\"\n[partition.any]\n");
    const auto entrance = [&](const std::string& name) {
        const std::string socket = configured.socket(name);
        return socket.substr(0, socket.rfind('/'));
    };
    // Where a child gets to, whoever it is.
    std::ofstream(entrance("key") + "/good") << "sesame\n";
    std::ofstream(entrance("key") + "/bad") << "sesam\n";
    for (const uid_t uid : {0U, 1001U, 1002U, 65534U}) {
        for (const gid_t gid : {0U, 2002U}) {
            EXPECT_EQ(attach_as(entrance("one"), uid, gid, nullptr), uid == 1001 ? 0 : 1) << uid;
            EXPECT_EQ(attach_as(entrance("two"), uid, gid, nullptr),
                      uid == 1002 && gid == 2002 ? 0 : 1)
                << uid << " " << gid;
            EXPECT_EQ(attach_as(entrance("any"), uid, gid, nullptr), 0) << uid;
            EXPECT_EQ(attach_as(entrance("key"), uid, gid, "./good"), 0) << uid;
            EXPECT_EQ(attach_as(entrance("key"), uid, gid, "./bad"), 1) << uid;
            EXPECT_EQ(attach_as(entrance("key"), uid, gid, nullptr), 1) << uid;
        }
    }
    EXPECT_NE(configured.audited().find("rule 'partition one'"), std::string::npos);
}

// Whatever somebody has put where a token file should be: nobody waits for it, and nobody gets in.
TEST(PolicyIdentity, ATokenFileThatCannotBeReadDeniesAndIsAudited) {
    const TempDirectory tokens;
    const std::string pipe = tokens / "pipe";
    const std::string huge = tokens / "huge";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    std::ofstream(huge) << std::string(1 << 20, 'x');
    std::ofstream(tokens / "gone") << "sesame\n";
    std::string toml;
    for (const char* const name : {"pipe", "huge", "gone"})
        toml += "[partition." + std::string(name) + "]\ntoken_file = \"" + (tokens / name) + "\"\n";
    // Such a file is a mistake in the configuration, too, where it is one from the beginning.
    std::filesystem::rename(pipe, tokens / "kept");
    std::filesystem::rename(huge, tokens / "kept2");
    std::ofstream(pipe) << "sesame\n";
    std::ofstream(huge) << "sesame\n";
    for (const char* const name : {"pipe", "huge", "gone"})
        ::chmod((tokens / name).c_str(), 0600);
    ConfiguredAdapter configured(toml);
    std::filesystem::rename(tokens / "kept", pipe);
    std::filesystem::rename(tokens / "kept2", huge);
    std::filesystem::remove(tokens / "gone");
    for (const char* const name : {"pipe", "huge", "gone"}) {
        const auto attached = Partition::attach("", {.socket = configured.socket(name)});
        ASSERT_FALSE(attached) << name;
        EXPECT_EQ(attached.error().code, ErrorCode::denied) << attached.error().text;
        EXPECT_TRUE(eventually([&] {
            return configured.audited().find("rule 'partition " + std::string(name) + "'") !=
                   std::string::npos;
        })) << configured.audited();
    }
}

TEST(PolicyIdentity, TheOpenEntranceIsClosedToPartitionsUnlessTheFileOpensIt) {
    ConfiguredAdapter closed("[partition.one]\n");
    const auto denied = Partition::attach("somebody", {.socket = closed.socket()});
    ASSERT_FALSE(denied.has_value());
    EXPECT_EQ(denied.error().code, ErrorCode::denied);
    EXPECT_NE(denied.error().text.find("open_entrance"), std::string::npos) << denied.error().text;
    ConfiguredAdapter open("[adapter]\nopen_entrance = true\n[partition.one]\n");
    EXPECT_TRUE(Partition::attach("somebody", {.socket = open.socket()}).has_value());
    EXPECT_FALSE(Partition::attach("one", {.socket = open.socket()}).has_value());
}

}  // namespace
}  // namespace causeway::test
