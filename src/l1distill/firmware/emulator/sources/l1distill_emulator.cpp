// Runs the operations of logic.h, each a wire of the firmware, in exact integer arithmetic.
//
// Portable C++11. Left shifts are multiplications, since a negative number must not be shifted
// left; the generator has made sure that no intermediate result needs more than 62 bits.
#include "l1distill_emulator.h"

#include <cmath>
#include <limits>
#include <vector>

namespace {

enum Kind {
    INPUT,     // the code at input port a
    CONSTANT,  // constant
    SHIFT,     // x: moves the binary point, drops bits
    ADD,       // x + y
    SUBTRACT,  // x - y
    ADD_CONSTANT,  // x + constant
    NEGATE,    // -x
    RELU,      // x where it is positive, else 0
    SELECT,    // x where the highest bit of c is set, else y
    MULTIPLY,  // x * b
    NOT,       // all bits of a turned round
    ANY,       // 1 where a bit of a is set, else 0
    ALL,       // 1 where all bits of a are set, else 0
    AND,       // x & y
    OR,        // x | y
    XOR,       // x ^ y
    TABLE      // the entry of TABLES at constant plus the bits of a
};

struct Operation {
    Kind kind;
    int a, b, c;         // operands, by their row
    int left_a, left_b;  // x = a * 2^left_a, y = b * 2^left_b
    int right;           // bits to be dropped from the result
    int bits;            // width of the wire
    bool is_signed;
    int64_t constant;
};

enum Rounding {
    TRN,      // down
    RND,      // to the nearest, halves up
    RND_CONV  // to the nearest, halves to even
};

// An input port: a real number is divided by 2^exponent and rounded to a code, an integer in units
// of the port's own grid; times 2^coarser that is a code of the grid of all ports.
struct Port {
    int exponent, coarser, bits;
    bool is_signed;
    Rounding rounding;
    bool wraps;
    int64_t low, high;
};

struct Output {
    int row;  // -1: the output is 0
    int left, right;
    bool negative;
};

}  // namespace

#include "logic.h"

namespace {

static_assert((int64_t(-1) >> 1) == -1, "needs a compiler whose right shifts keep the sign");

const int LANES = 16;  // events that go through an operation together

inline int64_t power(int exponent) { return int64_t(1) << exponent; }

// The lowest bits of a number, as a wire of that width holds them.
inline int64_t narrow(int64_t value, int bits, bool is_signed) {
    const int64_t low = value & (power(bits) - 1);
    return is_signed && bits > 0 ? low - 2 * (low & power(bits - 1)) : low;
}

template <typename Function>
inline void each(const Operation &op, int64_t *result, Function function) {
    for (int lane = 0; lane < LANES; ++lane)
        result[lane] = narrow(function(lane) >> op.right, op.bits, op.is_signed);
}

void execute(const Operation &op, const int64_t *ports, const int64_t *rows, int64_t *result) {
    const int64_t *a = (op.kind == INPUT ? ports : rows) + int64_t(op.a) * LANES;
    const int64_t *b = rows + int64_t(op.b) * LANES;
    const int64_t *c = rows + int64_t(op.c) * LANES;
    const int64_t up_a = power(op.left_a), up_b = power(op.left_b), constant = op.constant;
    switch (op.kind) {
    case CONSTANT:
        each(op, result, [=](int) { return constant; });
        break;
    case INPUT:
    case SHIFT:
        each(op, result, [=](int i) { return a[i] * up_a; });
        break;
    case ADD:
        each(op, result, [=](int i) { return a[i] * up_a + b[i] * up_b; });
        break;
    case SUBTRACT:
        each(op, result, [=](int i) { return a[i] * up_a - b[i] * up_b; });
        break;
    case ADD_CONSTANT:
        each(op, result, [=](int i) { return a[i] * up_a + constant; });
        break;
    case NEGATE:
        each(op, result, [=](int i) { return -(a[i] * up_a); });
        break;
    case RELU:
        each(op, result, [=](int i) { return a[i] > 0 ? a[i] * up_a : 0; });
        break;
    case SELECT: {
        const int64_t highest = power(PROGRAM[op.c].bits - 1);
        each(op, result, [=](int i) { return c[i] & highest ? a[i] * up_a : b[i] * up_b; });
        break;
    }
    case MULTIPLY:
        each(op, result, [=](int i) { return a[i] * up_a * b[i]; });
        break;
    case NOT:
        each(op, result, [=](int i) { return ~a[i]; });
        break;
    case ANY:
        each(op, result, [=](int i) { return int64_t(a[i] != 0); });
        break;
    case ALL: {
        const int64_t all = power(PROGRAM[op.a].bits) - 1;
        each(op, result, [=](int i) { return int64_t((a[i] & all) == all); });
        break;
    }
    case AND:
        each(op, result, [=](int i) { return (a[i] * up_a) & (b[i] * up_b); });
        break;
    case OR:
        each(op, result, [=](int i) { return (a[i] * up_a) | (b[i] * up_b); });
        break;
    case XOR:
        each(op, result, [=](int i) { return (a[i] * up_a) ^ (b[i] * up_b); });
        break;
    case TABLE: {
        const int64_t all = power(PROGRAM[op.a].bits) - 1;
        each(op, result, [=](int i) { return TABLES[constant + (a[i] & all)]; });
        break;
    }
    }
}

// A block of at most LANES events.
class Block {
  public:
    Block() : ports_(size_t(INPUTS) * LANES), rows_(size_t(OPERATIONS) * LANES) {}

    void put(int lane, int input, int64_t code) {
        ports_[size_t(input) * LANES + lane] = narrow(code, INPUT_BITS, INPUT_IS_SIGNED);
    }

    void run() {
        for (int row = 0; row < OPERATIONS; ++row)
            execute(PROGRAM[row], ports_.data(), rows_.data(), &rows_[size_t(row) * LANES]);
    }

    int64_t get(int lane, int output) const {
        const Output &from = RESULTS[output];
        if (from.row < 0) return 0;
        const int64_t value = rows_[size_t(from.row) * LANES + lane] * power(from.left);
        return (from.negative ? -value : value) >> from.right;
    }

  private:
    std::vector<int64_t> ports_, rows_;
};

// A real number as its input port holds it; false for NaN, and for infinity where it would wrap.
bool quantize(double value, int input, int64_t *code) {
    if (std::isnan(value)) return false;
    const Port &port = PORTS[input];
    const double scaled =
        std::ldexp(std::ldexp(value, -port.exponent), INPUT_FRACTION - port.coarser);
    double whole = std::floor(scaled);
    const double rest = scaled - whole;
    const bool up = port.rounding == RND || std::fmod(whole, 2.0) != 0.0;
    if (port.rounding != TRN && (rest > 0.5 || (rest == 0.5 && up))) whole += 1.0;
    if (port.wraps) {
        if (std::isinf(whole)) return false;
        whole = std::fmod(whole, std::ldexp(1.0, port.bits));
    } else {
        if (whole < double(port.low)) whole = double(port.low);
        if (whole > double(port.high)) whole = double(port.high);
    }
    *code = narrow(int64_t(whole), port.bits, port.is_signed) * power(port.coarser);
    return true;
}

}  // namespace

extern "C" {

int l1distill_inputs(void) { return INPUTS; }

int l1distill_outputs(void) { return OUTPUTS; }

double l1distill_input_unit(int input) {
    return std::ldexp(1.0, PORTS[input].exponent - INPUT_FRACTION);
}

double l1distill_output_unit(void) { return std::ldexp(1.0, -OUTPUT_FRACTION); }

void l1distill_predict_codes(const int64_t *x, int64_t *y, size_t n) {
    Block block;
    for (size_t start = 0; start < n; start += LANES) {
        const int events = int(n - start < size_t(LANES) ? n - start : size_t(LANES));
        for (int lane = 0; lane < events; ++lane)
            for (int i = 0; i < INPUTS; ++i) block.put(lane, i, x[(start + lane) * INPUTS + i]);
        block.run();
        for (int lane = 0; lane < events; ++lane)
            for (int i = 0; i < OUTPUTS; ++i) y[(start + lane) * OUTPUTS + i] = block.get(lane, i);
    }
}

void l1distill_predict(const double *x, double *y, size_t n) {
    const double unit = l1distill_output_unit();
    Block block;
    for (size_t start = 0; start < n; start += LANES) {
        const int events = int(n - start < size_t(LANES) ? n - start : size_t(LANES));
        bool valid[LANES];
        for (int lane = 0; lane < events; ++lane) {
            valid[lane] = true;
            for (int i = 0; i < INPUTS; ++i) {
                int64_t code = 0;
                if (!quantize(x[(start + lane) * INPUTS + i], i, &code)) valid[lane] = false;
                block.put(lane, i, code);
            }
        }
        block.run();
        for (int lane = 0; lane < events; ++lane)
            for (int i = 0; i < OUTPUTS; ++i)
                y[(start + lane) * OUTPUTS + i] =
                    valid[lane] ? double(block.get(lane, i)) * unit
                                : std::numeric_limits<double>::quiet_NaN();
    }
}

}  // extern "C"
