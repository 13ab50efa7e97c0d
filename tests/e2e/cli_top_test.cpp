// causeway top on a terminal, in a script, and beside an adapter that goes and comes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <causeway/causeway.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/command.hpp"
#include "support/live_adapter.hpp"
#include "support/test_adapter.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;

// A program on a terminal of its own.
class OnTerminal {
public:
    explicit OnTerminal(std::vector<std::string> arguments) {
        const winsize size{30, 160, 0, 0};
        std::vector<char*> argv;
        for (std::string& argument : arguments)
            argv.push_back(argument.data());
        argv.push_back(nullptr);
        pid_ = ::forkpty(&master_, nullptr, nullptr, &size);
        if (pid_ == 0) {
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        before_ = modes();
    }
    ~OnTerminal() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            (void)::waitpid(pid_, nullptr, 0);
        }
        ::close(master_);
    }
    OnTerminal(const OnTerminal&) = delete;
    OnTerminal& operator=(const OnTerminal&) = delete;

    void press(const std::string& keys) const {
        ASSERT_EQ(::write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
    }
    void signal(int number) const { ::kill(pid_, number); }
    void resize(unsigned short columns, unsigned short lines) const {
        const winsize size{lines, columns, 0, 0};
        ASSERT_EQ(::ioctl(master_, TIOCSWINSZ, &size), 0);
    }
    // Reads until `part` has come after what was read before; all of that.
    std::string read_until(const std::string& part) {
        std::string seen;
        const bool came = eventually([&] {
            seen += read_some();
            return seen.find(part) != std::string::npos;
        });
        EXPECT_TRUE(came) << "'" << part << "' did not come, but:\n" << seen;
        all_ += seen;
        return seen;
    }
    // Its end: exit status, or -signal.
    int wait() {
        int status = 0;
        const bool ended = eventually([&] {
            all_ += read_some();
            return ::waitpid(pid_, &status, WNOHANG) == pid_;
        });
        EXPECT_TRUE(ended) << "it does not end";
        if (!ended)
            return -1000;
        pid_ = -1;
        all_ += read_some();
        return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    }
    bool stopped() const {
        int status = 0;
        return eventually([&] { return ::waitpid(pid_, &status, WNOHANG | WUNTRACED) == pid_; }) &&
               WIFSTOPPED(status);
    }
    // Is the terminal as it was before?
    [[nodiscard]] bool restored() const {
        const termios now = modes();
        return now.c_lflag == before_.c_lflag && now.c_iflag == before_.c_iflag &&
               now.c_oflag == before_.c_oflag;
    }
    [[nodiscard]] const std::string& all() const { return all_; }
    std::string read_some() const {
        std::array<char, 65536> bytes{};
        std::string text;
        pollfd wait{master_, POLLIN, 0};
        while (::poll(&wait, 1, 20) > 0) {
            const ssize_t n = ::read(master_, bytes.data(), bytes.size());
            if (n <= 0)
                break;
            text.append(bytes.data(), static_cast<std::size_t>(n));
        }
        return text;
    }

private:
    [[nodiscard]] termios modes() const {
        termios now{};
        EXPECT_EQ(::tcgetattr(master_, &now), 0);
        return now;
    }
    int master_ = -1;
    pid_t pid_ = -1;
    termios before_{};
    std::string all_;
};

constexpr char kEnter[] = "\x1b[?1049h";
constexpr char kLeave[] = "\x1b[?1049l";

class CliTop : public ::testing::Test {
protected:
    void SetUp() override {
        a_ = Partition::attach("alpha", {.socket = adapter_.socket()}).value();
        b_ = Partition::attach("beta", {.socket = adapter_.socket()}).value();
        region_ = a_.allocate(1 << 20).value();
        queue_a_ = a_.create_completion_queue(64).value();
        queue_b_ = b_.create_completion_queue(64).value();
        pair_b_ = b_.create_queue_pair({.completions = queue_b_}).value();
        pair_a_ = a_.create_queue_pair({.completions = queue_a_}).value();
        listener_ = b_.listen("orders").value();
        pair_a_.connect("beta/orders", 0ns).value();
        listener_.accept(pair_b_, 30s).value();
    }
    // `count` messages of `size` bytes from alpha to beta.
    void send(int count, std::uint32_t size) {
        const Region into = b_.allocate(1 << 20).value();
        for (int i = 0; i < count; ++i) {
            pair_b_.post_receive(into.slice(0, size), 1).value();
            pair_a_.post_send(region_.slice(0, size), 2).value();
            ASSERT_EQ(queue_b_.wait(30s).size(), 1u);
            ASSERT_EQ(queue_a_.wait(30s).size(), 1u);
        }
    }
    [[nodiscard]] std::vector<std::string> top(std::vector<std::string> more) const {
        std::vector<std::string> all = {program("causeway"), "top", "--socket", adapter_.socket()};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    TestAdapter adapter_;
    Partition a_, b_;
    Region region_;
    CompletionQueue queue_a_, queue_b_;
    QueuePair pair_a_, pair_b_;
    Listener listener_;
};

TEST_F(CliTop, ShowsSortsAndQuits) {
    OnTerminal top(this->top({"-d", "0.2"}));
    const std::string first = top.read_until("alpha");
    EXPECT_THAT(first, HasSubstr(kEnter));
    EXPECT_FALSE(top.restored()) << "keys would be echoed";
    top.read_until("by throughput");
    top.press("N");
    top.read_until("by name");
    top.press(">");
    top.read_until("by stalls");
    top.press("P");
    top.read_until("by cpu");
    top.press("v");
    top.read_until("EXECUTOR");
    top.press("v");
    top.read_until("ENTRANCE");
    top.press("h");
    top.read_until("queue pairs;");
    top.press("q");
    EXPECT_EQ(top.wait(), 0);
    EXPECT_TRUE(top.all().ends_with(kLeave)) << top.all().substr(top.all().size() - 30);
    EXPECT_TRUE(top.restored());
}

TEST_F(CliTop, FollowsTheSizeOfTheTerminal) {
    OnTerminal top(this->top({"-d", "60"}));
    top.read_until("alpha");
    (void)top.read_some();
    top.resize(40, 8);
    // A frame of the old size may still be on its way.
    std::string seen;
    std::size_t longest = 0;
    EXPECT_TRUE(eventually([&] {
        seen += top.read_some();
        const std::size_t end = seen.rfind("\x1b[J");
        const std::size_t begin = seen.rfind("\x1b[H", end);
        if (end == std::string::npos || begin == std::string::npos)
            return false;
        std::istringstream lines(seen.substr(begin + 3, end - begin - 3));
        longest = 0;
        int count = 0;
        for (std::string line; std::getline(lines, line); ++count) {
            const std::string shown = line.substr(line.find("\x1b[K") + 3);
            longest = std::max(longest, shown.substr(0, shown.find('\r')).size());
        }
        return longest == 40 && count <= 8;
    })) << longest
        << " columns are the most of: " << seen;
    top.press("q");
    EXPECT_EQ(top.wait(), 0);
}

TEST_F(CliTop, GivesTheTerminalBackHoweverItEnds) {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
        OnTerminal top(this->top({}));
        top.read_until("alpha");
        top.signal(signal);
        EXPECT_EQ(top.wait(), 128 + signal);
        EXPECT_TRUE(top.restored()) << signal;
        EXPECT_THAT(top.all(), HasSubstr(kLeave));
    }
    for (const int signal : {SIGSEGV, SIGABRT}) {
        OnTerminal top(this->top({}));
        top.read_until("alpha");
        top.signal(signal);
        EXPECT_EQ(top.wait(), -signal);
        EXPECT_TRUE(top.restored()) << signal;
        EXPECT_THAT(top.all(), HasSubstr(kLeave));
    }
}

TEST_F(CliTop, StopsAndGoesOn) {
    OnTerminal top(this->top({"-d", "60"}));
    top.read_until("alpha");
    top.signal(SIGTSTP);
    EXPECT_TRUE(top.stopped());
    EXPECT_TRUE(top.restored());
    (void)top.read_some();
    top.signal(SIGCONT);
    const std::string again = top.read_until("alpha");
    EXPECT_THAT(again, HasSubstr(kEnter));
    EXPECT_FALSE(top.restored());
    top.press("q");
    EXPECT_EQ(top.wait(), 0);
}

TEST_F(CliTop, EndsAfterSoManyRefreshes) {
    OnTerminal top(this->top({"-d", "0.1", "-n", "3"}));
    EXPECT_EQ(top.wait(), 0);
    EXPECT_TRUE(top.restored());
}

TEST_F(CliTop, PrintsTextForScripts) {
    const auto result = run_command(top({"-b", "-n", "2", "-d", "0.1", "--sort", "name"}));
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.out.find('\x1b'), std::string::npos) << "it is no terminal";
    for (const char* part : {"alpha", "beta", "by name", "movers", "%CPU"})
        EXPECT_THAT(result.out, HasSubstr(part));
    const auto pairs = run_command(top({"-b", "-n", "1", "-d", "0.1", "--pairs"}));
    EXPECT_THAT(pairs.out, HasSubstr("orders"));
}

TEST_F(CliTop, JsonSaysWhatHappensMeanwhile) {
    Command command(top({"--json", "-n", "1", "-d", "2"}));
    ASSERT_TRUE(eventually([&] {
        // Until it has looked once: it looks in by a connection of its own.
        send(5, 4096);
        return !command.running();
    }));
    const Finished result = command.wait();
    EXPECT_EQ(result.status, 0) << result.err;
    const json frame = json::parse(result.out);
    ASSERT_EQ(frame.at("partitions").size(), 2u);
    ASSERT_EQ(frame.at("queue_pairs").size(), 2u);
    for (const json& it : frame.at("partitions")) {
        EXPECT_TRUE(it.at("cpu").is_number()) << "its process can be seen";
        if (it.at("name") == "alpha") {
            EXPECT_GT(it.at("operations_per_s").get<double>(), 0);
            EXPECT_NEAR(
                it.at("bytes_per_s").get<double>() / it.at("operations_per_s").get<double>(), 4096,
                1);
        }
    }
    EXPECT_GT(frame.at("latency_ns").at("count").get<int>(), 0);
    EXPECT_EQ(frame.at("size_bytes").at("p50"), 4096);
}

TEST_F(CliTop, RefusesWhatIsNoTerminal) {
    const auto result = run_command(top({}));
    EXPECT_EQ(result.status, 1);
    EXPECT_THAT(result.err, HasSubstr("--batch"));
    EXPECT_EQ(run_command(top({"--sort", "colour"})).status, 2);
    EXPECT_EQ(run_command(top({"-d", "0"})).status, 2);
}

// What stats says is what was done, to the operation and byte.
TEST_F(CliTop, StatsAgreesWithWhatWasDone) {
    send(7, 10'000);
    send(3, 8);
    const auto result =
        run_command({program("causeway"), "stats", "--socket", adapter_.socket(), "--json"});
    ASSERT_EQ(result.status, 0) << result.err;
    const json stats = json::parse(result.out);
    for (const json& it : stats.at("partitions")) {
        const bool alpha = it.at("name") == "alpha";
        EXPECT_EQ(it.at("adapter").at("operations"), alpha ? 10 : 0);
        EXPECT_EQ(it.at("adapter").at("bytes"), alpha ? 70'024 : 0);
        EXPECT_EQ(it.at("adapter").at("errors"), 0);
        EXPECT_EQ(it.at("direct_claimed").at("operations"), 0);
    }
    EXPECT_EQ(stats.at("latency_ns").at("count"), 10);
    EXPECT_EQ(stats.at("size_bytes").at("count"), 10);
    EXPECT_EQ(stats.at("size_bytes").at("sum"), 70'024);
    EXPECT_EQ(stats.at("size_bytes").at("p50"), 16'384);
    EXPECT_EQ(stats.at("queue_pairs").at("adapter").at("connected"), 2);
    const auto text = run_command({program("causeway"), "stats", "--socket", adapter_.socket()});
    for (const char* part : {"alpha", "WAKE-UPS", "latency", "2 connected (adapter)"})
        EXPECT_THAT(text.out, HasSubstr(part));
}

// Direct queue pairs: what the partitions claim, apart from what the adapter counted.
TEST_F(CliTop, StatsKeepsClaimsApart) {
    const Region out = a_.allocate(4096, Access::exportable).value();
    auto a = Partition::attach("gamma", {.socket = adapter_.socket()}).value();
    auto b = Partition::attach("delta", {.socket = adapter_.socket()}).value();
    const Region from = a.allocate(4096, Access::exportable).value();
    const Region into = b.allocate(4096, Access::exportable).value();
    auto queue_a = a.create_completion_queue(64).value();
    auto queue_b = b.create_completion_queue(64).value();
    QueuePair pair_a = a.create_queue_pair({.completions = queue_a}).value();
    QueuePair pair_b = b.create_queue_pair({.completions = queue_b}).value();
    Listener listener = b.listen("direct").value();
    pair_a.connect("delta/direct", 0ns).value();
    listener.accept(pair_b, 30s).value();
    const auto ask = [&] {
        const auto result =
            run_command({program("causeway"), "stats", "--socket", adapter_.socket(), "--json"});
        const json stats = json::parse(result.out);
        for (const json& it : stats.at("partitions")) {
            if (it.at("name") == "gamma")
                return it;
        }
        return json();
    };
    for (int i = 0; i < 4; ++i) {
        pair_b.post_receive(into.slice(0, 1000), 1).value();
        pair_a.post_send(from.slice(0, 1000), 2).value();
        ASSERT_EQ(queue_b.wait(30s).size(), 1u);
        ASSERT_EQ(queue_a.wait(30s).size(), 1u);
    }
    const json gamma = ask();
    EXPECT_EQ(gamma.at("adapter").at("operations"), 0);
    EXPECT_EQ(gamma.at("direct_claimed").at("operations"), 4) << gamma;
    EXPECT_EQ(gamma.at("direct_claimed").at("bytes"), 4000);
    pair_a = QueuePair();
    EXPECT_TRUE(eventually([&] { return ask().at("queue_pairs") == 0; }));
    EXPECT_EQ(ask().at("direct_claimed").at("operations"), 4) << "it is not forgotten";
}

TEST(CliTopAlone, WaitsForAnAdapterThatHasGone) {
    LiveAdapter adapter(LiveAdapter::Kind::program);
    OnTerminal top({program("causeway"), "top", "--socket", adapter.socket(), "-d", "0.1"});
    top.read_until("0 partitions");
    adapter.kill();
    top.read_until("no adapter");
    adapter.start_again();
    top.read_until("0 partitions");
    top.press("q");
    EXPECT_EQ(top.wait(), 0);
}

// One that hangs keeps nobody from leaving.
TEST(CliTopAlone, QuitsWhileTheAdapterHangs) {
    const LiveAdapter adapter(LiveAdapter::Kind::program);
    OnTerminal top({program("causeway"), "top", "--socket", adapter.socket(), "-d", "0.1"});
    top.read_until("0 partitions");
    ::kill(adapter.pid(), SIGSTOP);
    short_pause();
    top.press("hq");
    EXPECT_EQ(top.wait(), 0);
    EXPECT_TRUE(top.restored());
    ::kill(adapter.pid(), SIGCONT);
}

TEST(CliTopAlone, BatchSaysThatThereIsNoAdapter) {
    const auto text = run_command(
        {program("causeway"), "top", "-b", "-n", "1", "-d", "0.1", "--socket", "/nowhere/x.sock"});
    EXPECT_EQ(text.status, 1);
    EXPECT_THAT(text.out, HasSubstr("no adapter"));
    const auto object = run_command({program("causeway"), "top", "--json", "-n", "1", "-d", "0.1",
                                     "--socket", "/nowhere/x.sock"});
    EXPECT_EQ(object.status, 1);
    EXPECT_TRUE(json::parse(object.out).contains("error"));
}

}  // namespace
}  // namespace causeway::test
