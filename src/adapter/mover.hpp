// A mover: the thread that executes descriptors for the connections it owns (Fig 11: the adapter
// moves the data).
//
// Threading: every public member may be called from the control thread at any time; the work is
// done on the mover's own thread, between two turns, when it holds no translation.
//
// Invariants:
//  1. A connection is served by one mover at a time, from connect() until its close. A mover that
//     one partition keeps busy gives what others are at to one that is idle (ADR 0010).
//  2. Service is deficit round robin by measured time: within a round no connection gets more than
//     its quantum plus one piece of a move. The busy connections of a partition share one quantum.
//  3. After `done` of remove(), or after a task of run() has run, the mover holds nothing of what
//     was removed before.
#pragma once

#include <causeway/abi/descriptor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "adapter/doorbell.hpp"
#include "adapter/end.hpp"
#include "adapter/mover_figures.hpp"
#include "base/result.hpp"
#include "engine/copy_plan.hpp"

namespace causeway::adapter {

struct MoverOptions {
    std::uint32_t index = 0;
    int core = -1;  // pin to this core; -1: do not
    engine::CopyPlan copies = engine::default_copy_plan();
    // Called on the mover's thread when one piece of a move between these two sessions took over a
    // millisecond: somebody should look whether an owner has punched holes into its memory.
    std::function<void(std::uint32_t, std::uint32_t)> on_slow_piece;
    // The same, when policy denied a descriptor of the first session toward the second: of many,
    // some.
    std::function<void(std::uint32_t, std::uint32_t, abi::Opcode)> on_refused;
};

class Mover {
public:
    [[nodiscard]] static Result<std::unique_ptr<Mover>> start(MoverOptions options);
    ~Mover();  // stops and joins

    // Ends the thread; later calls are taken and never done. Movers that poke each other are all
    // stopped before the first of them is destroyed.
    void stop();

    // A partition's doorbell for this mover: bits are EndOptions::doorbell_bit of that session.
    void open_doorbell(std::uint32_t session, std::shared_ptr<Doorbell> doorbell);
    // Forgets the session's doorbell and whatever is left of its ends.
    void close_session(std::uint32_t session);

    // on: in the place of a mover that has died, from where the ends' traces stand.
    enum class Going { anew, on };

    // An end whose doorbell_bit this mover must know.
    void add(std::shared_ptr<End> end);
    // Connects two ends, both in state connecting or idle: they become connected and are served by
    // this mover. An end that was added to another mover has its doorbell forwarded by that one.
    void connect(std::shared_ptr<End> a, std::shared_ptr<End> b,
                 abi::Executor executor = abi::Executor::adapter, Going going = Going::anew);
    // Ends `end` with `state` and `reason`; a connected peer ends with `peer_reason`. Must go to
    // the mover that serves the connection, or did lately and forwards it; for an unconnected end,
    // to its own. `then` runs on the thread of the mover that has closed it.
    void close(std::shared_ptr<End> end, abi::QueuePairState state, abi::Error reason,
               abi::Error peer_reason, std::function<void()> then = nullptr);
    // Forgets a closed end at the mover it was added to; then runs `done` on that mover's thread.
    void remove(std::shared_ptr<End> end, std::function<void()> done);
    // Looks at `end`'s connection soon: its doorbell was rung at another mover.
    void poke(std::shared_ptr<End> end);
    // Runs `task` between two turns.
    void run(std::function<void()> task);
    // All movers, this one among them: to whom it may give connections.
    void introduce(std::vector<Mover*> movers);

    [[nodiscard]] std::uint32_t index() const noexcept;
    // How much of the last 10 ms went into moving, in thousandths.
    [[nodiscard]] std::uint32_t load() const noexcept;
    // What it has done; only the mover writes there.
    [[nodiscard]] const MoverFigures& figures() const noexcept;
    // Processor time of its thread. Until stop(), from whoever calls that.
    [[nodiscard]] std::uint64_t cpu_ns() const noexcept;

    class Loop;

private:
    explicit Mover(std::unique_ptr<Loop> loop);
    std::unique_ptr<Loop> loop_;
};

}  // namespace causeway::adapter
