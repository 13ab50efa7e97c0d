// Which controllers partitions may announce, against a configuration file: at first, when a running
// adapter takes another one, and when the next adapter starts with another one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <causeway/causeway.hpp>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "support/command.hpp"
#include "support/configured_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kPartitions[] =
    "[partition.net]\n[partition.disk]\n[partition.anna]\n"
    "[[allow]]\nfrom = \"*\"\nto = \"*\"\noperations = \"all\"\nmutual = true\n"
    "executor = \"direct\"\n";
constexpr char kLan[] = "[unit.\"net/lan0\"]\ntype = \"network\"\n";
constexpr char kDisk[] = "[unit.\"disk/disk0\"]\ntype = \"block\"\n";
const std::string kBoth = std::string(kPartitions) + kLan + kDisk;
const std::string kDiskOnly = std::string(kPartitions) + kDisk;

struct Member {
    explicit Member(const std::string& socket)
        : partition(Partition::attach("", {.socket = socket, .adapter_patience = 60s}).value()),
          queue(partition.create_completion_queue(64).value()) {}
    QueuePair pair(const char* executor = nullptr) {
        return partition.create_queue_pair({.completions = queue, .executor = executor}).value();
    }
    Partition partition;
    CompletionQueue queue;
};

std::vector<std::string> seen(Partition& partition) {
    std::vector<std::string> names;
    for (const Controller& each : partition.controllers().value())
        names.push_back(each.partition + "/" + each.service);
    return names;
}

// One end of a connection to a controller, and the other.
struct Use {
    Use(Member& from, Member& to, Listener& listener, const std::string& target,
        const char* executor)
        : near(from.pair(executor)), far(to.pair(executor)) {
        near.connect(target, 0ns).value();
        listener.accept(far, 10s).value();
        EXPECT_TRUE(eventually([&] {
            (void)from.queue.wait(1ms);
            return near.state() == QueuePair::State::connected;
        }));
    }
    QueuePair near;
    QueuePair far;
};

bool closes(QueuePair& pair) {
    return eventually([&] { return pair.state() == QueuePair::State::closed; });
}

TEST(Units, EveryAnnouncementIsAsTheFileSays) {
    ConfiguredAdapter configured(kBoth);
    const std::map<std::string, ControllerType> declared{{"net/lan0", ControllerType::network},
                                                         {"disk/disk0", ControllerType::block}};
    for (const std::string who : {"net", "disk", "anna"}) {
        Member member(configured.socket(who));
        for (const std::string name : {"lan0", "disk0"}) {
            std::string key = who;
            key.append("/").append(name);
            const auto unit = declared.find(key);
            for (const auto type : {ControllerType::network, ControllerType::block,
                                    ControllerType::security, ControllerType::other}) {
                const auto listener = member.partition.listen(name, 16, type);
                ASSERT_EQ(listener.has_value(), unit != declared.end() && unit->second == type)
                    << key << " " << static_cast<int>(type);
                if (listener)
                    continue;
                EXPECT_EQ(listener.error().code, ErrorCode::denied);
                EXPECT_THAT(listener.error().text,
                            HasSubstr(unit == declared.end() ? "rule 'no rule': there is no unit"
                                                             : "rule 'unit " + unit->first + "'"));
            }
            EXPECT_TRUE(member.partition.listen(name).has_value()) << "an ordinary service";
        }
    }
    const std::string audited = configured.audited();
    EXPECT_THAT(audited, HasSubstr(R"("event":"announce","decision":"denied","from":"anna",)"
                                   R"("service":"lan0","type":"network","rule":"no rule")"));
}

class UnitsApply : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Executors, UnitsApply, testing::Values("adapter", "direct"),
                         [](const auto& executor) { return std::string(executor.param); });

TEST_P(UnitsApply, WithdrawWhatIsTakenOutAndNothingElse) {
    ConfiguredAdapter configured(kBoth);
    Member net(configured.socket("net"));
    Member disk(configured.socket("disk"));
    Member anna(configured.socket("anna"));
    Listener lan = net.partition.listen("lan0", 16, ControllerType::network).value();
    Listener store = disk.partition.listen("disk0", 16, ControllerType::block).value();
    Use goes(anna, net, lan, "net/lan0", GetParam());
    Use stays(anna, disk, store, "disk/disk0", GetParam());
    QueuePair spare = net.pair();
    auto accepting = std::async(std::launch::async, [&] { return lan.accept(spare, 60s); });

    configured.write(kDiskOnly);
    const Finished applied =
        run_command({program("causeway"), "config", "apply", "--socket", configured.socket()});
    ASSERT_EQ(applied.status, 0) << applied.err;
    EXPECT_THAT(applied.out, HasSubstr("unit 'net/lan0' is removed"));
    EXPECT_THAT(seen(anna.partition), ElementsAre("disk/disk0"));
    EXPECT_TRUE(closes(goes.near));
    EXPECT_TRUE(closes(goes.far));
    const auto accepted = accepting.get();
    ASSERT_FALSE(accepted.has_value());
    EXPECT_EQ(accepted.error().code, ErrorCode::not_found);
    EXPECT_THAT(accepted.error().text, HasSubstr("controller net/lan0 was withdrawn: rule 'no"));
    lan = {};
    const auto again = net.partition.listen("lan0", 16, ControllerType::network);
    ASSERT_FALSE(again.has_value());
    EXPECT_EQ(again.error().code, ErrorCode::denied);
    EXPECT_TRUE(net.partition.listen("lan0").has_value());
    EXPECT_THAT(configured.audited(),
                HasSubstr(R"("event":"cut","decision":"denied","from":"net","service":"lan0",)"
                          R"("type":"network")"));

    EXPECT_EQ(stays.near.state(), QueuePair::State::connected);
    QueuePair more = disk.pair();
    QueuePair another = anna.pair();
    another.connect("disk/disk0", 0ns).value();
    EXPECT_TRUE(store.accept(more, 10s).has_value()) << "its listener as well";
}

// A network unit is told, and says why it ends; one that was never declared does not begin.
TEST(UnitsProgram, TheProgramOfAWithdrawnUnitEnds) {
    ConfiguredAdapter configured(kBoth);
    Member anna(configured.socket("anna"));
    const std::vector<std::string> program_of_unit{program("causeway"), "unit", "network",
                                                   "--socket", configured.socket("net")};
    Command unit(program_of_unit);
    ASSERT_TRUE(eventually([&] { return seen(anna.partition).size() == 1; })) << unit.error_text();
    configured.write(kDiskOnly);
    const Finished applied =
        run_command({program("causeway"), "config", "apply", "--socket", configured.socket()});
    ASSERT_EQ(applied.status, 0) << applied.err;
    const Finished end = unit.wait();
    EXPECT_EQ(end.status, 1);
    EXPECT_THAT(end.err, HasSubstr("controller net/lan0 was withdrawn: rule 'no rule'"));
    const Finished again = run_command(program_of_unit);
    EXPECT_EQ(again.status, 1);
    EXPECT_THAT(again.err, HasSubstr("may not announce lan0 as a controller of type network"));
}

// One disk of several: the program serves the others.
TEST(UnitsProgram, AWithdrawnDiskLeavesTheOthersUndisturbed) {
    const std::string more = "[unit.\"disk/disk1\"]\ntype = \"block\"\n";
    ConfiguredAdapter configured(kDiskOnly + more);
    Member anna(configured.socket("anna"));
    const TempDirectory images;
    for (const char* const name : {"0", "1"})
        std::ofstream(images / name) << std::string(1 << 20, 'x');
    Command unit({program("causeway"), "unit", "block", "--socket", configured.socket("disk"),
                  "--disk", "disk0=" + (images / "0"), "--disk", "disk1=" + (images / "1")});
    ASSERT_TRUE(eventually([&] { return seen(anna.partition).size() == 2; })) << unit.error_text();
    const auto kept = anna.partition.controllers().value();
    const auto apply = [&](const std::string& toml) {
        configured.write(toml);
        const Finished applied =
            run_command({program("causeway"), "config", "apply", "--socket", configured.socket()});
        EXPECT_EQ(applied.status, 0) << applied.err;
    };
    apply(kDiskOnly);
    EXPECT_TRUE(eventually([&] {
        return unit.error_text().find("disk/disk1 was withdrawn") != std::string::npos;
    })) << unit.error_text();
    const auto left = anna.partition.controllers().value();
    ASSERT_EQ(left.size(), 1U);
    EXPECT_NE(std::find(kept.begin(), kept.end(), left[0]), kept.end()) << "the very same";
    EXPECT_TRUE(unit.running());
    apply(kPartitions);
    const Finished end = unit.wait();
    EXPECT_EQ(end.status, 1);
    EXPECT_THAT(end.err, HasSubstr("controller disk/disk0 was withdrawn"));
}

TEST(UnitsRestart, TheNextAdapterDoesNotBringBackWhatItsFileForbids) {
    const TempDirectory directory;
    const std::string file = directory / "causeway.toml";
    std::ofstream(file) << kBoth;
    const std::vector<std::string> daemon{program("causewayd"), "--runtime-dir", directory / "run",
                                          "--config", file};
    const auto socket = [&](const std::string& name) {
        return directory / ("run/" + name + "/fabric.sock");
    };
    const auto serves = [&] {
        return run_command({program("causeway"), "bus", "--socket", socket("anna")}).status == 0;
    };
    auto first = std::make_unique<Command>(daemon);
    ASSERT_TRUE(eventually(serves)) << first->error_text();
    Member net(socket("net"));
    Member disk(socket("disk"));
    Member anna(socket("anna"));
    Listener lan = net.partition.listen("lan0", 16, ControllerType::network).value();
    Listener store = disk.partition.listen("disk0", 16, ControllerType::block).value();
    Use goes(anna, net, lan, "net/lan0", "adapter");
    Use stays(anna, disk, store, "disk/disk0", "adapter");
    QueuePair spare = net.pair();
    auto accepting = std::async(std::launch::async, [&] { return lan.accept(spare, 60s); });
    first->kill(SIGKILL);
    (void)first->wait();
    std::ofstream(file) << kDiskOnly;
    Command next(daemon);
    ASSERT_TRUE(eventually(serves)) << next.error_text();
    EXPECT_THAT(seen(anna.partition), ElementsAre("disk/disk0"));
    EXPECT_THAT(seen(disk.partition), ElementsAre("disk/disk0"));
    const auto accepted = accepting.get();
    ASSERT_FALSE(accepted.has_value());
    EXPECT_THAT(accepted.error().text, HasSubstr("controller net/lan0 was withdrawn: rule 'no"));
    EXPECT_TRUE(closes(goes.near));
    EXPECT_TRUE(closes(goes.far));
    EXPECT_EQ(stays.near.state(), QueuePair::State::connected);
    EXPECT_EQ(stays.far.state(), QueuePair::State::connected);
}

}  // namespace
}  // namespace causeway::test
