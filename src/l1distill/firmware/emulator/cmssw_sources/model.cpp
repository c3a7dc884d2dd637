// The emulator as a model of CMSSW: exact, and one event at a time.
//
// prepare_input takes a pointer to the N_INPUT numbers of ../metadata.json, in its order: input_t*
// (an array decays to that), double*, float* or int*, const or not; or a pointer to a std::array or
// std::vector of one of them. read_result takes a pointer to N_OUTPUT results in the same forms,
// with result_t; of a single result also std::pair<std::array<result_t, 1>, score_t>*, which gets
// it twice, as AXOL1TL's condition reads it.
#if __has_include("hls4ml/emulator.h")
#include "hls4ml/emulator.h"
#elif __has_include("emulator.h")
#include "emulator.h"
#else
#include "hls4ml_emulator.h"
#endif

#include <array>
#include <cmath>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "l1distill_emulator.h"
#include "types.h"

namespace {

template <typename T>
double to_double(const T &value) {
    if constexpr (std::is_arithmetic<T>::value)
        return static_cast<double>(value);
    else
        return value.to_double();
}

class Firmware final : public hls4mlEmulator::Model {
  public:
    void prepare_input(std::any input) override {
        if (!take<input_t>(input) && !take<double>(input) && !take<float>(input) &&
            !take<int>(input))
            throw std::invalid_argument(std::string("l1distill: prepare_input takes a pointer to ") +
                                        INPUT_NAME + ", double, float or int, not " +
                                        input.type().name());
    }

    void predict() override { l1distill_predict(x_.data(), y_.data(), 1); }

    void read_result(std::any result) override {
        if (!give<result_t>(result) && !give<double>(result) && !give<float>(result) &&
            !give_pair(result))
            throw std::invalid_argument(std::string("l1distill: read_result takes a pointer to ") +
                                        RESULT_NAME + ", double or float, not " +
                                        result.type().name());
    }

  private:
    template <typename T>
    bool take(const std::any &input) {
        if (auto *values = std::any_cast<T *>(&input)) return copy(*values);
        if (auto *values = std::any_cast<const T *>(&input)) return copy(*values);
        if (auto *values = std::any_cast<std::array<T, N_INPUT> *>(&input))
            return copy((*values)->data());
        if (auto *values = std::any_cast<const std::array<T, N_INPUT> *>(&input))
            return copy((*values)->data());
        if (auto *values = std::any_cast<std::vector<T> *>(&input)) return copy_all(**values);
        if (auto *values = std::any_cast<const std::vector<T> *>(&input)) return copy_all(**values);
        return false;
    }

    template <typename T>
    bool copy_all(const std::vector<T> &values) {
        if (values.size() != size_t(N_INPUT))
            throw std::invalid_argument("l1distill: prepare_input got " +
                                        std::to_string(values.size()) + " numbers, not " +
                                        std::to_string(N_INPUT));
        return copy(values.data());
    }

    template <typename T>
    bool copy(const T *values) {
        for (int i = 0; i < N_INPUT; ++i) {
            x_[i] = to_double(values[i]);
            if (std::isnan(x_[i])) throw std::invalid_argument("l1distill: an input is NaN");
        }
        return true;
    }

    template <typename T>
    bool give(std::any &result) {
        if (auto *values = std::any_cast<T *>(&result)) return fill(*values);
        if (auto *values = std::any_cast<std::array<T, N_OUTPUT> *>(&result))
            return fill((*values)->data());
        if (auto *values = std::any_cast<std::vector<T> *>(&result)) {
            (*values)->resize(N_OUTPUT);
            return fill((*values)->data());
        }
        return false;
    }

    bool give_pair(std::any &result) {
        if constexpr (N_OUTPUT == 1) {
            typedef std::pair<std::array<result_t, 1>, score_t> Pair;
            if (auto *values = std::any_cast<Pair *>(&result)) {
                (*values)->first[0] = y_[0];
                (*values)->second = y_[0];
                return true;
            }
        }
        return false;
    }

    template <typename T>
    bool fill(T *values) {
        for (int i = 0; i < N_OUTPUT; ++i) values[i] = static_cast<T>(y_[i]);
        return true;
    }

    std::array<double, N_INPUT> x_{};
    std::array<double, N_OUTPUT> y_{};
};

}  // namespace

extern "C" hls4mlEmulator::Model *create_model() { return new Firmware; }

extern "C" void destroy_model(hls4mlEmulator::Model *model) { delete model; }
