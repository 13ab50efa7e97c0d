#include "adapter/mover.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <string>
#include <utility>

#include "adapter/mover_loop.hpp"
#include "base/fault_point.hpp"
#include "platform/clock.hpp"
#include "platform/cpu.hpp"
#include "platform/fault_guard.hpp"

namespace causeway::adapter {
namespace {

constexpr std::uint64_t kQuantumNs = 50'000;  // of mover time, per connection and round
constexpr std::uint64_t kSlowNs = 1'000'000;  // one piece: suspicious
constexpr std::uint64_t kSpinNs = 50'000;     // without progress, before sleeping
constexpr std::uint32_t kRoundsPerLook = 32;  // at the doorbells, while spinning
constexpr std::uint64_t kLookNs = 100'000;    // at the doorbells, while busy
constexpr std::uint64_t kWindowNs = 10'000'000;

}  // namespace

// ---- the handle: every call becomes a command

Result<std::unique_ptr<Mover>> Mover::start(MoverOptions options) {
    CW_TRY(platform::install_fault_guard());
    platform::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll)
        return fail_errno("epoll_create1 for a mover", errno);
    platform::UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event)
        return fail_errno("eventfd for a mover", errno);
    epoll_event want{};
    want.events = EPOLLIN;
    want.data.u64 = 0;  // sessions are numbered from 1
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, event.get(), &want) != 0) {
        return fail_errno("epoll_ctl for a mover", errno);
    }
    auto loop = std::make_unique<Loop>(std::move(options), std::move(epoll), std::move(event));
    std::unique_ptr<Mover> mover(new Mover(std::move(loop)));
    mover->loop_->start(*mover);
    return mover;
}

Mover::Mover(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Mover::~Mover() = default;

void Mover::stop() { loop_->stop(); }

std::uint32_t Mover::index() const noexcept { return loop_->index(); }
std::uint32_t Mover::load() const noexcept { return loop_->load(); }
const MoverFigures& Mover::figures() const noexcept { return loop_->figures(); }
std::uint64_t Mover::cpu_ns() const noexcept { return loop_->cpu_ns(); }

void Mover::open_doorbell(std::uint32_t session, std::shared_ptr<Doorbell> doorbell) {
    loop_->post([this, session, doorbell = std::move(doorbell)]() mutable {
        loop_->open_doorbell(session, std::move(doorbell));
    });
}

void Mover::close_session(std::uint32_t session) {
    loop_->post([this, session] { loop_->close_session(session); });
}

void Mover::add(std::shared_ptr<End> end) {
    loop_->post([this, end = std::move(end)]() mutable { loop_->add(std::move(end)); });
}

void Mover::connect(std::shared_ptr<End> a, std::shared_ptr<End> b, abi::Executor executor,
                    Going going) {
    a->served_by.store(this, std::memory_order_release);
    b->served_by.store(this, std::memory_order_release);
    loop_->post([this, a = std::move(a), b = std::move(b), executor, going]() mutable {
        loop_->connect(std::move(a), std::move(b), executor, going);
    });
}

void Mover::close(std::shared_ptr<End> end, abi::QueuePairState state, abi::Error reason,
                  abi::Error peer_reason, std::function<void()> then) {
    loop_->post(
        [this, end = std::move(end), state, reason, peer_reason, then = std::move(then)]() mutable {
            loop_->close(end, state, reason, peer_reason, std::move(then));
        });
}

void Mover::remove(std::shared_ptr<End> end, std::function<void()> done) {
    loop_->post([this, end = std::move(end), done = std::move(done)]() mutable {
        loop_->remove(end);
        end.reset();
        if (done)
            done();
    });
}

void Mover::poke(std::shared_ptr<End> end) {
    loop_->post([this, end = std::move(end)] { loop_->poke(end); });
}

void Mover::run(std::function<void()> task) { loop_->post(std::move(task)); }

void Mover::introduce(std::vector<Mover*> movers) {
    loop_->post(
        [this, movers = std::move(movers)]() mutable { loop_->introduce(std::move(movers)); });
}

// ---- the loop

Mover::Loop::Loop(MoverOptions options, platform::UniqueFd epoll, platform::UniqueFd command_event)
    : options_(std::move(options)),
      epoll_(std::move(epoll)),
      command_event_(std::move(command_event)),
      // Movers number their connections apart: the id is what holds an Append's lock.
      next_connection_id_((std::uint64_t{options_.index} << 48) + 2) {}

Mover::Loop::~Loop() { stop(); }

void Mover::Loop::start(Mover& owner) {
    owner_ = &owner;
    quantum_ticks_ = platform::ns_to_ticks(kQuantumNs);
    slow_ticks_ = platform::ns_to_ticks(kSlowNs);
    thread_ = std::thread([this] { run(); });
}

void Mover::Loop::stop() {
    if (!thread_.joinable())
        return;
    post([this] { stop_ = true; });
    thread_.join();
}

std::uint64_t Mover::Loop::cpu_ns() const noexcept {
    clockid_t clock{};
    timespec time{};
    if (!thread_.joinable() ||
        ::pthread_getcpuclockid(const_cast<std::thread&>(thread_).native_handle(), &clock) != 0 ||
        ::clock_gettime(clock, &time) != 0)
        return 0;
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec);
}

void Mover::Loop::post(std::function<void()> command) {
    {
        const std::lock_guard lock(mutex_);
        commands_.push_back(std::move(command));
    }
    has_commands_.store(true, std::memory_order_release);
    const std::uint64_t one = 1;
    (void)!::write(command_event_.get(), &one, sizeof one);  // full: a wake-up is pending anyway
}

void Mover::Loop::run_commands() {
    // SYNC(commands): cleared before the queue is taken, so a command posted meanwhile sets it
    // again.
    if (!has_commands_.exchange(false, std::memory_order_acquire))
        return;
    std::vector<std::function<void()>> taken;
    {
        const std::lock_guard lock(mutex_);
        taken.swap(commands_);
    }
    for (auto& command : taken) {
        command();
        command = nullptr;  // what it held goes now, not after the others
    }
}

void Mover::Loop::run() {
    ::pthread_setname_np(::pthread_self(), ("cw-mover-" + std::to_string(options_.index)).c_str());
    if (options_.core >= 0)
        (void)platform::pin_thread(static_cast<unsigned>(options_.core));
    std::uint64_t quiet_since = platform::monotonic_ns();
    std::uint32_t rounds = 0;
    while (!stop_) {
        run_commands();
        if (stop_)
            break;
        now_ns_ = platform::monotonic_ns();
        if (now_ns_ - window_since_ns_ > kWindowNs)
            end_window();
        figures_.turns.add(1);
        if (turn()) {
            spinner_.reset();
            quiet_since = now_ns_;
        } else if (polled_.empty() || now_ns_ - quiet_since > kSpinNs) {
            sleep();
            quiet_since = now_ns_;
        } else {
            spinner_.spin();
        }
        if (++rounds % kRoundsPerLook == 0 || now_ns_ - looked_ns_ > kLookNs) {
            look_at_doorbells(0);
            retry_due();
            cool_idle();
        }
    }
    connections_.clear();
    sessions_.clear();
}

bool Mover::Loop::turn() {
    bool progress = false;
    // serve() may close a connection, which takes it out of polled_ by swapping the last in.
    for (std::size_t i = 0; i < polled_.size();) {
        Connection* connection = polled_[i];
        progress |= serve(*connection);
        if (i < polled_.size() && polled_[i] == connection)
            ++i;
    }
    return progress;
}

void Mover::Loop::open_doorbell(std::uint32_t session, std::shared_ptr<Doorbell> doorbell) {
    Session& entry = sessions_[session];
    epoll_event want{};
    want.events = EPOLLIN;
    want.data.u64 = session;
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, doorbell->socket().fd(), &want);
    doorbell->waiter().announce_sleep();  // always: it is the socket that is listened to
    entry.doorbell = std::move(doorbell);
    answer(session);  // what was rung before this
}

void Mover::Loop::close_session(std::uint32_t session) {
    busy_.erase(session);  // its connections are closed
    const auto found = sessions_.find(session);
    if (found == sessions_.end())
        return;
    if (found->second.doorbell) {
        (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.doorbell->socket().fd(),
                          nullptr);
    }
    sessions_.erase(found);
}

void Mover::Loop::add(std::shared_ptr<End> end) {
    auto& ends = sessions_[end->options().session].ends;
    const std::uint32_t bit = end->options().doorbell_bit;
    if (ends.size() <= bit)
        ends.resize(bit + 1);
    ends[bit] = std::move(end);
    // Another mover may have connected it already, and what its partition has rung for until now
    // found no end here. Where it is not connected yet, connect() looks at what was posted.
    rung(ends[bit]);
}

void Mover::Loop::remove(const std::shared_ptr<End>& end) {
    const auto& options = end->options();
    const auto found = sessions_.find(options.session);
    if (found != sessions_.end() && options.doorbell_bit < found->second.ends.size() &&
        found->second.ends[options.doorbell_bit] == end) {
        found->second.ends[options.doorbell_bit] = nullptr;
    }
}

void Mover::Loop::connect(std::shared_ptr<End> a, std::shared_ptr<End> b, abi::Executor executor,
                          Going going) {
    auto connection = std::make_unique<Connection>(a, b, next_connection_id_, executor);
    next_connection_id_ += 2;
    Connection& it = *connection;
    connections_.emplace(&it, std::move(connection));
    a->connection = &it;
    b->connection = &it;
    it.busy[0] = &busy_[a->options().session];
    it.busy[1] = &busy_[b->options().session];
    if (going == Going::on && executor == abi::Executor::adapter) {
        for (engine::Flow& flow : it.flows)
            flow.go_on();
        for (int i = 0; i < 2; ++i)
            figures_.skip(it.ends[i]->endpoint().counters, it.seen[i]);
    }
    heat(it);
    a->set_executor(executor);
    b->set_executor(executor);
    a->set_state(abi::QueuePairState::connected, abi::Error::none);
    CAUSEWAY_FAULT_POINT("adapter.mover.one_connected");
    b->set_state(abi::QueuePairState::connected, abi::Error::none);
    if (going == Going::on) {
        // What was published may not have been told.
        a->notify();
        b->notify();
    }
}

void Mover::Loop::close(const std::shared_ptr<End>& end, abi::QueuePairState state,
                        abi::Error reason, abi::Error peer_reason, std::function<void()> then) {
    Mover* const server = end->served_by.load(std::memory_order_acquire);
    if (server != nullptr && server != owner_) {  // given away meanwhile
        server->close(end, state, reason, peer_reason, std::move(then));
        return;
    }
    if (end->connection != nullptr) {
        close_connection(*end->connection, end.get(), reason, peer_reason);
    } else if (end->state() < abi::QueuePairState::refused) {
        end->set_state(state, reason);
    }
    if (then)
        then();
}

void Mover::Loop::poke(const std::shared_ptr<End>& end) {
    Mover* const server = end->served_by.load(std::memory_order_acquire);
    if (server != nullptr && server != owner_) {  // given away meanwhile
        server->poke(end);
        return;
    }
    // SYNC(poke-pending): pairs with the exchange in answer(); cleared before the rings are looked
    // at, so either this look sees what was rung for, or that call pokes anew.
    (void)end->poke_pending.exchange(false, std::memory_order_acq_rel);
    if (end->connection != nullptr)
        heat(*end->connection);
}

void Mover::Loop::close_connection(Connection& connection, End* blamed, abi::Error reason,
                                   abi::Error peer_reason) {
    std::erase(polled_, &connection);
    std::erase(waiting_, &connection);
    leave_polled(connection);
    for (auto& flow : connection.flows)
        flow.abandon();
    for (auto& end : connection.ends) {
        end->connection = nullptr;
        if (connection.executor == abi::Executor::adapter)
            end->endpoint().publish_taken();
        end->set_state(abi::QueuePairState::closed, end.get() == blamed ? reason : peer_reason);
    }
    connections_.erase(&connection);
}

}  // namespace causeway::adapter
