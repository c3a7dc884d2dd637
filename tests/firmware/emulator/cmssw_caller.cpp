// What CMSSW does with a model of its trigger, written from the interface alone, as AXOL1TL's
// condition is: ./caller LIBRARY < events > scores, both as text.
#include <dlfcn.h>

#include <any>
#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <utility>

#include "ap_fixed.h"

namespace hls4mlEmulator {
class Model {
  public:
    virtual void prepare_input(std::any input) = 0;
    virtual void predict() = 0;
    virtual void read_result(std::any result) = 0;
    virtual ~Model() = default;
};
}  // namespace hls4mlEmulator

int main(int, char **arguments) {
    typedef ap_fixed<18, 13> inputtype;
    typedef std::array<ap_fixed<12, 6, AP_RND_CONV, AP_SAT>, 1> resulttype;
    typedef ap_ufixed<18, 14> losstype;
    void *library = dlopen(arguments[1], RTLD_LAZY | RTLD_LOCAL);
    if (!library) return std::fprintf(stderr, "%s\n", dlerror()), 1;
    auto create = (hls4mlEmulator::Model * (*)()) dlsym(library, "create_model");
    auto destroy = (void (*)(hls4mlEmulator::Model *))dlsym(library, "destroy_model");
    std::shared_ptr<hls4mlEmulator::Model> model(create(), destroy);
    double x[INPUTS];
    for (;;) {
        inputtype input[INPUTS] = {};
        for (int i = 0; i < INPUTS; ++i) {
            if (std::scanf("%lf", &x[i]) != 1) break;
            input[i] = x[i];
            if (i + 1 < INPUTS) continue;
            std::pair<resulttype, losstype> result;
            double plain = 0;
            model->prepare_input(input);
            model->predict();
            model->read_result(&result);
            model->prepare_input(static_cast<const double *>(x));
            model->predict();
            model->read_result(&plain);
            std::printf("%.17g %.17g %.17g\n", result.first[0].to_double(), result.second.to_double(),
                        plain);
        }
        if (std::feof(stdin)) break;
    }
    try {
        model->prepare_input(std::any(1));
    } catch (const std::invalid_argument &error) {
        std::printf("%s\n", error.what());
    }
}
