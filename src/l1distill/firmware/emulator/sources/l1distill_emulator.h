/* The firmware on the processor, bit for bit. Plain C interface, no dependency.
 *
 * Every function may be called from several threads at once.
 */
#ifndef L1DISTILL_EMULATOR_H
#define L1DISTILL_EMULATOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How many numbers go in and come out for an event. */
int l1distill_inputs(void);
int l1distill_outputs(void);

/* What an integer code of 1 stands for: the value of a number is its code times this. */
double l1distill_input_unit(int input);
double l1distill_output_unit(void);

/* Computes n events from real numbers, as the model takes them.
 *
 * x: n rows of l1distill_inputs(); each number is rounded and clipped to its input port first.
 * y: n rows of l1distill_outputs(); NaN where a number of the event is NaN.
 */
void l1distill_predict(const double *x, double *y, size_t n);

/* Computes n events from the integer codes on the buses, as in vectors/.
 *
 * x: n rows of codes of the input port; bits above its width are ignored, as a bus would.
 * y: n rows of codes of the output type.
 */
void l1distill_predict_codes(const int64_t *x, int64_t *y, size_t n);

#ifdef __cplusplus
}
#endif

#endif
