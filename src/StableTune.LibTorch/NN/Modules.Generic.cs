namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>A module whose <c>forward</c> takes one input.</summary>
        /// <typeparam name="T1">The type of the input.</typeparam>
        /// <typeparam name="TResult">The type of the output.</typeparam>
        public abstract class Module<T1, TResult>
            : HookableModule<
                Func<Module<T1, TResult>, T1, T1?>,
                Func<Module<T1, TResult>, T1, TResult, TResult?>>
        {
            /// <summary>Creates a module without contents.</summary>
            /// <param name="name">What the module calls itself.</param>
            protected Module(string name) : base(name) { }

            /// <summary>What the module computes. Parents use <see cref="call"/>, which lets hooks take part.</summary>
            /// <param name="input">The input, as the subclass documents it.</param>
            /// <returns>The output: a fresh object, in the dispose scope of the caller.</returns>
            public abstract TResult forward(T1 input);

            /// <summary>Runs the pre-hooks, <see cref="forward"/> and the hooks. Opens no dispose scope of its own.</summary>
            /// <param name="input">The input, as the subclass documents it.</param>
            /// <returns>The output, as the last hook left it.</returns>
            public TResult call(T1 input)
            {
                foreach (var entry in PreHooks)
                    if (entry.Hook(this, input) is { } changed) input = changed;
                var result = forward(input);
                foreach (var entry in PostHooks)
                    if (entry.Hook(this, input, result) is { } changed) result = changed;
                return result;
            }
        }

        /// <summary>A module whose <c>forward</c> takes two inputs.</summary>
        /// <typeparam name="T1">The type of input 1.</typeparam>
        /// <typeparam name="T2">The type of input 2.</typeparam>
        /// <typeparam name="TResult">The type of the output.</typeparam>
        public abstract class Module<T1, T2, TResult>
            : HookableModule<
                Func<Module<T1, T2, TResult>, T1, T2, (T1, T2)?>,
                Func<Module<T1, T2, TResult>, T1, T2, TResult, TResult?>>
        {
            /// <summary>Creates a module without contents.</summary>
            /// <param name="name">What the module calls itself.</param>
            protected Module(string name) : base(name) { }

            /// <summary>What the module computes. Parents use <see cref="call"/>, which lets hooks take part.</summary>
            /// <param name="input1">Input 1, as the subclass documents it.</param>
            /// <param name="input2">Input 2, as the subclass documents it.</param>
            /// <returns>The output: a fresh object, in the dispose scope of the caller.</returns>
            public abstract TResult forward(T1 input1, T2 input2);

            /// <summary>Runs the pre-hooks, <see cref="forward"/> and the hooks. Opens no dispose scope of its own.</summary>
            /// <param name="input1">Input 1, as the subclass documents it.</param>
            /// <param name="input2">Input 2, as the subclass documents it.</param>
            /// <returns>The output, as the last hook left it.</returns>
            public TResult call(T1 input1, T2 input2)
            {
                foreach (var entry in PreHooks)
                    if (entry.Hook(this, input1, input2) is { } changed) (input1, input2) = changed;
                var result = forward(input1, input2);
                foreach (var entry in PostHooks)
                    if (entry.Hook(this, input1, input2, result) is { } changed) result = changed;
                return result;
            }
        }

        /// <summary>A module whose <c>forward</c> takes three inputs.</summary>
        /// <typeparam name="T1">The type of input 1.</typeparam>
        /// <typeparam name="T2">The type of input 2.</typeparam>
        /// <typeparam name="T3">The type of input 3.</typeparam>
        /// <typeparam name="TResult">The type of the output.</typeparam>
        public abstract class Module<T1, T2, T3, TResult>
            : HookableModule<
                Func<Module<T1, T2, T3, TResult>, T1, T2, T3, (T1, T2, T3)?>,
                Func<Module<T1, T2, T3, TResult>, T1, T2, T3, TResult, TResult?>>
        {
            /// <summary>Creates a module without contents.</summary>
            /// <param name="name">What the module calls itself.</param>
            protected Module(string name) : base(name) { }

            /// <summary>What the module computes. Parents use <see cref="call"/>, which lets hooks take part.</summary>
            /// <param name="input1">Input 1, as the subclass documents it.</param>
            /// <param name="input2">Input 2, as the subclass documents it.</param>
            /// <param name="input3">Input 3, as the subclass documents it.</param>
            /// <returns>The output: a fresh object, in the dispose scope of the caller.</returns>
            public abstract TResult forward(T1 input1, T2 input2, T3 input3);

            /// <summary>Runs the pre-hooks, <see cref="forward"/> and the hooks. Opens no dispose scope of its own.</summary>
            /// <param name="input1">Input 1, as the subclass documents it.</param>
            /// <param name="input2">Input 2, as the subclass documents it.</param>
            /// <param name="input3">Input 3, as the subclass documents it.</param>
            /// <returns>The output, as the last hook left it.</returns>
            public TResult call(T1 input1, T2 input2, T3 input3)
            {
                foreach (var entry in PreHooks)
                    if (entry.Hook(this, input1, input2, input3) is { } changed) (input1, input2, input3) = changed;
                var result = forward(input1, input2, input3);
                foreach (var entry in PostHooks)
                    if (entry.Hook(this, input1, input2, input3, result) is { } changed) result = changed;
                return result;
            }
        }

        /// <summary>A module whose <c>forward</c> takes four inputs.</summary>
        /// <typeparam name="T1">The type of input 1.</typeparam>
        /// <typeparam name="T2">The type of input 2.</typeparam>
        /// <typeparam name="T3">The type of input 3.</typeparam>
        /// <typeparam name="T4">The type of input 4.</typeparam>
        /// <typeparam name="TResult">The type of the output.</typeparam>
        public abstract class Module<T1, T2, T3, T4, TResult>
            : HookableModule<
                Func<Module<T1, T2, T3, T4, TResult>, T1, T2, T3, T4, (T1, T2, T3, T4)?>,
                Func<Module<T1, T2, T3, T4, TResult>, T1, T2, T3, T4, TResult, TResult?>>
        {
            /// <summary>Creates a module without contents.</summary>
            /// <param name="name">What the module calls itself.</param>
            protected Module(string name) : base(name) { }

            /// <summary>What the module computes. Parents use <see cref="call"/>, which lets hooks take part.</summary>
            /// <param name="input1">Input 1, as the subclass documents it.</param>
            /// <param name="input2">Input 2, as the subclass documents it.</param>
            /// <param name="input3">Input 3, as the subclass documents it.</param>
            /// <param name="input4">Input 4, as the subclass documents it.</param>
            /// <returns>The output: a fresh object, in the dispose scope of the caller.</returns>
            public abstract TResult forward(T1 input1, T2 input2, T3 input3, T4 input4);

            /// <summary>Runs the pre-hooks, <see cref="forward"/> and the hooks. Opens no dispose scope of its own.</summary>
            /// <param name="input1">Input 1, as the subclass documents it.</param>
            /// <param name="input2">Input 2, as the subclass documents it.</param>
            /// <param name="input3">Input 3, as the subclass documents it.</param>
            /// <param name="input4">Input 4, as the subclass documents it.</param>
            /// <returns>The output, as the last hook left it.</returns>
            public TResult call(T1 input1, T2 input2, T3 input3, T4 input4)
            {
                foreach (var entry in PreHooks)
                    if (entry.Hook(this, input1, input2, input3, input4) is { } changed) (input1, input2, input3, input4) = changed;
                var result = forward(input1, input2, input3, input4);
                foreach (var entry in PostHooks)
                    if (entry.Hook(this, input1, input2, input3, input4, result) is { } changed) result = changed;
                return result;
            }
        }

        /// <summary>A module whose <c>forward</c> takes five inputs.</summary>
        /// <typeparam name="T1">The type of input 1.</typeparam>
        /// <typeparam name="T2">The type of input 2.</typeparam>
        /// <typeparam name="T3">The type of input 3.</typeparam>
        /// <typeparam name="T4">The type of input 4.</typeparam>
        /// <typeparam name="T5">The type of input 5.</typeparam>
        /// <typeparam name="TResult">The type of the output.</typeparam>
        public abstract class Module<T1, T2, T3, T4, T5, TResult>
            : HookableModule<
                Func<Module<T1, T2, T3, T4, T5, TResult>, T1, T2, T3, T4, T5, (T1, T2, T3, T4, T5)?>,
                Func<Module<T1, T2, T3, T4, T5, TResult>, T1, T2, T3, T4, T5, TResult, TResult?>>
        {
            /// <summary>Creates a module without contents.</summary>
            /// <param name="name">What the module calls itself.</param>
            protected Module(string name) : base(name) { }

            /// <summary>What the module computes. Parents use <see cref="call"/>, which lets hooks take part.</summary>
            /// <param name="input1">Input 1, as the subclass documents it.</param>
            /// <param name="input2">Input 2, as the subclass documents it.</param>
            /// <param name="input3">Input 3, as the subclass documents it.</param>
            /// <param name="input4">Input 4, as the subclass documents it.</param>
            /// <param name="input5">Input 5, as the subclass documents it.</param>
            /// <returns>The output: a fresh object, in the dispose scope of the caller.</returns>
            public abstract TResult forward(T1 input1, T2 input2, T3 input3, T4 input4, T5 input5);

            /// <summary>Runs the pre-hooks, <see cref="forward"/> and the hooks. Opens no dispose scope of its own.</summary>
            /// <param name="input1">Input 1, as the subclass documents it.</param>
            /// <param name="input2">Input 2, as the subclass documents it.</param>
            /// <param name="input3">Input 3, as the subclass documents it.</param>
            /// <param name="input4">Input 4, as the subclass documents it.</param>
            /// <param name="input5">Input 5, as the subclass documents it.</param>
            /// <returns>The output, as the last hook left it.</returns>
            public TResult call(T1 input1, T2 input2, T3 input3, T4 input4, T5 input5)
            {
                foreach (var entry in PreHooks)
                    if (entry.Hook(this, input1, input2, input3, input4, input5) is { } changed) (input1, input2, input3, input4, input5) = changed;
                var result = forward(input1, input2, input3, input4, input5);
                foreach (var entry in PostHooks)
                    if (entry.Hook(this, input1, input2, input3, input4, input5, result) is { } changed) result = changed;
                return result;
            }
        }

        /// <summary>A module whose <c>forward</c> takes six inputs.</summary>
        /// <typeparam name="T1">The type of input 1.</typeparam>
        /// <typeparam name="T2">The type of input 2.</typeparam>
        /// <typeparam name="T3">The type of input 3.</typeparam>
        /// <typeparam name="T4">The type of input 4.</typeparam>
        /// <typeparam name="T5">The type of input 5.</typeparam>
        /// <typeparam name="T6">The type of input 6.</typeparam>
        /// <typeparam name="TResult">The type of the output.</typeparam>
        public abstract class Module<T1, T2, T3, T4, T5, T6, TResult>
            : HookableModule<
                Func<Module<T1, T2, T3, T4, T5, T6, TResult>, T1, T2, T3, T4, T5, T6, (T1, T2, T3, T4, T5, T6)?>,
                Func<Module<T1, T2, T3, T4, T5, T6, TResult>, T1, T2, T3, T4, T5, T6, TResult, TResult?>>
        {
            /// <summary>Creates a module without contents.</summary>
            /// <param name="name">What the module calls itself.</param>
            protected Module(string name) : base(name) { }

            /// <summary>What the module computes. Parents use <see cref="call"/>, which lets hooks take part.</summary>
            /// <param name="input1">Input 1, as the subclass documents it.</param>
            /// <param name="input2">Input 2, as the subclass documents it.</param>
            /// <param name="input3">Input 3, as the subclass documents it.</param>
            /// <param name="input4">Input 4, as the subclass documents it.</param>
            /// <param name="input5">Input 5, as the subclass documents it.</param>
            /// <param name="input6">Input 6, as the subclass documents it.</param>
            /// <returns>The output: a fresh object, in the dispose scope of the caller.</returns>
            public abstract TResult forward(T1 input1, T2 input2, T3 input3, T4 input4, T5 input5, T6 input6);

            /// <summary>Runs the pre-hooks, <see cref="forward"/> and the hooks. Opens no dispose scope of its own.</summary>
            /// <param name="input1">Input 1, as the subclass documents it.</param>
            /// <param name="input2">Input 2, as the subclass documents it.</param>
            /// <param name="input3">Input 3, as the subclass documents it.</param>
            /// <param name="input4">Input 4, as the subclass documents it.</param>
            /// <param name="input5">Input 5, as the subclass documents it.</param>
            /// <param name="input6">Input 6, as the subclass documents it.</param>
            /// <returns>The output, as the last hook left it.</returns>
            public TResult call(T1 input1, T2 input2, T3 input3, T4 input4, T5 input5, T6 input6)
            {
                foreach (var entry in PreHooks)
                    if (entry.Hook(this, input1, input2, input3, input4, input5, input6) is { } changed) (input1, input2, input3, input4, input5, input6) = changed;
                var result = forward(input1, input2, input3, input4, input5, input6);
                foreach (var entry in PostHooks)
                    if (entry.Hook(this, input1, input2, input3, input4, input5, input6, result) is { } changed) result = changed;
                return result;
            }
        }
    }
}
