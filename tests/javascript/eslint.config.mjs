// The linter's rules for each place where the appliance's JavaScript runs. From the root: npm --prefix tests/javascript run lint

import js from '@eslint/js';
import globals from 'globals';

export default [
    { ignores: ['**/node_modules/', 'ui/chat_ui/static/view/'] },
    js.configs.recommended,
    {
        rules: { eqeqeq: ['error', 'always', { null: 'ignore' }], 'no-var': 'error', 'prefer-const': 'error' },
        linterOptions: { reportUnusedDisableDirectives: 'error' },
    },
    {
        files: ['nginx/gate/**/*.js'],
        // QuickJS inside nginx, which has these names and none of node's others
        languageOptions: { ecmaVersion: 2023, sourceType: 'module', globals: { Buffer: 'readonly', ngx: 'readonly', process: 'readonly' } },
    },
    {
        files: ['ui/chat_ui/static/**/*.js'],
        languageOptions: { sourceType: 'script', globals: globals.browser },
    },
    {
        files: ['ui/web/src/**/*.js'],
        languageOptions: { globals: globals.browser },
    },
    {
        files: ['ui/web/*.mjs'],
        languageOptions: { globals: globals.node },
    },
    {
        files: ['tests/**/*.mjs'],
        languageOptions: { globals: { ...globals.node, ngx: 'readonly' } },
    },
];
