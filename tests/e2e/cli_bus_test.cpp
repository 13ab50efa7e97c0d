// causeway bus: the table, the JSON, the watch, and what policy hides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <causeway/causeway.hpp>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/command.hpp"
#include "support/configured_adapter.hpp"
#include "support/temp_directory.hpp"
#include "support/test_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Member {
    Member(const std::string& socket, const std::string& name)
        : partition(Partition::attach(name, {.socket = socket}).value()),
          queue(partition.create_completion_queue(64).value()) {}
    QueuePair pair() { return partition.create_queue_pair({.completions = queue}).value(); }

    Partition partition;
    CompletionQueue queue;
};

[[nodiscard]] Finished bus(const std::string& socket, std::vector<std::string> more = {}) {
    std::vector<std::string> all{program("causeway"), "bus", "--socket", socket};
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all);
}

[[nodiscard]] json controllers(const std::string& socket) {
    const Finished result = bus(socket, {"--json"});
    EXPECT_EQ(result.status, 0) << result.err;
    return json::parse(result.out).at("controllers");
}

// A watch beside the test, and the lines that it has printed.
class Watch {
public:
    explicit Watch(const std::string& socket, std::vector<std::string> more = {}) {
        std::vector<std::string> all{program("causeway"), "bus", "--socket", socket, "--watch"};
        all.insert(all.end(), more.begin(), more.end());
        CommandOptions options;
        options.output = file();
        command_ = std::make_unique<Command>(all, options);
    }
    [[nodiscard]] std::vector<std::string> lines() const {
        std::ifstream in(file());
        std::vector<std::string> lines;
        for (std::string line; std::getline(in, line);)
            lines.push_back(line);
        return lines;
    }
    // Has the last line come to be this?
    [[nodiscard]] bool says(const std::string& line) const {
        return eventually([&] {
            const auto all = lines();
            return !all.empty() && all.back() == line;
        });
    }
    [[nodiscard]] Command& command() { return *command_; }

private:
    [[nodiscard]] std::string file() const { return directory_ / "lines"; }

    TempDirectory directory_;
    std::unique_ptr<Command> command_;
};

TEST(CliBus, ListsControllersAndTheirUsers) {
    TestAdapter adapter;
    EXPECT_TRUE(controllers(adapter.socket()).empty());
    Member net(adapter.socket(), "net");
    Member client(adapter.socket(), "client");
    Listener lan = net.partition.listen("lan0", 16, ControllerType::network).value();
    Listener disk = net.partition.listen("disk0", 16, ControllerType::block).value();
    Listener plain = net.partition.listen("plain").value();
    QueuePair far = net.pair();
    QueuePair near = client.pair();
    near.connect("net/lan0", 0s).value();
    lan.accept(far, 30s).value();

    const json all = controllers(adapter.socket());
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all.at(0), json({{"type", "network"},
                               {"partition", "net"},
                               {"service", "lan0"},
                               {"state", "up"},
                               {"connections", 1},
                               {"users", {"client"}}}));
    EXPECT_EQ(all.at(1).at("type"), "block");
    EXPECT_TRUE(all.at(1).at("users").empty());

    const Finished table = bus(adapter.socket());
    EXPECT_EQ(table.status, 0) << table.err;
    std::istringstream lines(table.out);
    std::string head, first, second, more;
    std::getline(lines, head);
    std::getline(lines, first);
    std::getline(lines, second);
    EXPECT_FALSE(std::getline(lines, more)) << more;
    EXPECT_THAT(head, HasSubstr("USERS"));
    EXPECT_THAT(first, HasSubstr("network"));
    EXPECT_THAT(first, HasSubstr("lan0"));
    EXPECT_THAT(first, HasSubstr("client"));
    EXPECT_THAT(second, HasSubstr("disk0"));
}

TEST(CliBus, WatchesThemComeAndGo) {
    TestAdapter adapter;
    Member net(adapter.socket(), "net");
    Member client(adapter.socket(), "client");
    Listener disk = net.partition.listen("disk0", 16, ControllerType::block).value();
    Watch watch(adapter.socket());
    ASSERT_TRUE(watch.says("+ block disk0 of net up, used by nobody"));
    auto lan = std::make_unique<Listener>(
        net.partition.listen("lan0", 16, ControllerType::network).value());
    ASSERT_TRUE(watch.says("+ network lan0 of net up, used by nobody"));
    QueuePair far = net.pair();
    {
        QueuePair near = client.pair();
        near.connect("net/lan0", 0s).value();
        lan->accept(far, 30s).value();
        ASSERT_TRUE(watch.says("~ network lan0 of net up, used by client"));
    }
    ASSERT_TRUE(watch.says("~ network lan0 of net up, used by nobody"));
    lan.reset();
    ASSERT_TRUE(watch.says("- network lan0 of net"));
    EXPECT_EQ(watch.lines().size(), 5u);
    EXPECT_TRUE(watch.command().running());
    watch.command().kill(SIGINT);
    const Finished end = watch.command().wait();
    EXPECT_EQ(end.status, 128 + SIGINT) << end.err;
    EXPECT_EQ(end.err, "");
}

TEST(CliBus, WatchesInJsonAndEndsAfterACount) {
    TestAdapter adapter;
    Member net(adapter.socket(), "net");
    auto lan = std::make_unique<Listener>(
        net.partition.listen("lan0", 16, ControllerType::network).value());
    Watch watch(adapter.socket(), {"--json", "--count", "2"});
    ASSERT_TRUE(eventually([&] { return watch.lines().size() == 1; }));
    lan.reset();
    const Finished end = watch.command().wait();
    EXPECT_EQ(end.status, 0) << end.err;
    const auto lines = watch.lines();
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(json::parse(lines[0]), json({{"change", "arrived"},
                                           {"type", "network"},
                                           {"partition", "net"},
                                           {"service", "lan0"},
                                           {"state", "up"},
                                           {"connections", 0},
                                           {"users", json::array()}}));
    EXPECT_EQ(json::parse(lines[1]).at("change"), "departed");
}

TEST(CliBus, AWatchWaitsForTheNextAdapter) {
    TempDirectory directory;
    const std::string socket = directory / "fabric.sock";
    const std::vector<std::string> daemon{program("causewayd"), "--runtime-dir", directory.path()};
    const auto serves = [&] { return bus(socket).status == 0; };
    auto first = std::make_unique<Command>(daemon);
    ASSERT_TRUE(eventually(serves)) << first->error_text();
    Member net(socket, "net");
    Listener lan = net.partition.listen("lan0", 16, ControllerType::network).value();
    Watch watch(socket);
    ASSERT_TRUE(watch.says("+ network lan0 of net up, used by nobody"));
    first->kill(SIGKILL);
    (void)first->wait();
    ASSERT_TRUE(eventually([&] { return !watch.command().error_text().empty(); }));
    EXPECT_THAT(watch.command().error_text(), HasSubstr("waiting for the next adapter"));
    Command next(daemon);
    ASSERT_TRUE(eventually(serves)) << next.error_text();
    (void)net.partition.controllers().value();  // it is back
    Listener disk = net.partition.listen("disk0", 16, ControllerType::block).value();
    ASSERT_TRUE(watch.says("+ block disk0 of net up, used by nobody"));
    for (const std::string& line : watch.lines())
        EXPECT_NE(line[0], '-') << line << ": it was away, not gone";
}

constexpr char kRules[] = R"(
[partition.net]
[partition.anna]
[partition.bert]
[unit."net/lan0"]
type = "network"
[unit."net/disk0"]
type = "block"
[[allow]]
name = "anna uses the network"
from = "anna"
to = "net"
operations = ["connect", "send"]
services = ["lan0"]
)";

TEST(CliBus, HidesWhatPolicyDoesNotLetConnect) {
    ConfiguredAdapter configured(kRules);
    Member net(configured.socket("net"), "");
    Member anna(configured.socket("anna"), "");
    Member bert(configured.socket("bert"), "");
    Listener lan = net.partition.listen("lan0", 16, ControllerType::network).value();
    Listener disk = net.partition.listen("disk0", 16, ControllerType::block).value();
    const auto seen = [](const std::vector<Controller>& all) {
        std::vector<std::string> services;
        for (const Controller& each : all)
            services.push_back(each.service);
        return services;
    };
    EXPECT_THAT(seen(net.partition.controllers().value()), ElementsAre("lan0", "disk0"));
    EXPECT_THAT(seen(anna.partition.controllers().value()), ElementsAre("lan0"));
    EXPECT_TRUE(bert.partition.controllers().value().empty());
    EXPECT_EQ(controllers(configured.socket()).size(), 2u) << "an observer at the open entrance";
    EXPECT_EQ(controllers(configured.socket("anna")).size(), 1u);
    EXPECT_TRUE(controllers(configured.socket("bert")).empty());

    // A watch is told when that changes.
    Bus watched = Bus::open(bert.partition).value();
    EXPECT_TRUE(watched.watch(0ns).value().empty());
    configured.write(std::string(kRules) + R"(
[[allow]]
name = "bert too"
from = "bert"
to = "net"
operations = ["connect"]
)");
    const Finished applied =
        run_command({program("causeway"), "config", "apply", "--socket", configured.socket()});
    ASSERT_EQ(applied.status, 0) << applied.err;
    EXPECT_EQ(watched.watch(30s).value().size(), 2u);
}

TEST(CliBus, SaysWhatIsWrong) {
    const TempDirectory empty;
    const Finished nobody = bus(empty / "fabric.sock", {"--watch"});
    EXPECT_EQ(nobody.status, 1);
    EXPECT_THAT(nobody.err, HasSubstr("causeway: "));
    const Finished usage = bus("x", {"--count", "1"});
    EXPECT_EQ(usage.status, 2) << "a count without a watch";
}

}  // namespace
}  // namespace causeway::test
