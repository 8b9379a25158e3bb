define(['jquery'], function ($) {
  'use strict';

  var CustomWidget = function () {
    var self = this;

    var notify = function (text) {
      AMOCRM.notifications.show_message({ header: self.i18n('widget').name, text: text });
    };

    // Every selected row carries its phones: [{phones: ['+1…', …], …}, …]. The same number is dialled once.
    var numbers = function (selected) {
      var seen = {};

      $.each(selected, function (_, row) {
        $.each(row.phones || [], function (_, phone) {
          var digits = String(phone).replace(/[^\d+]/g, '');

          if (digits) {
            seen[digits] = true;
          }
        });
      });
      return Object.keys(seen);
    };

    var enqueue = function () {
      var settings = self.get_settings();
      var operator = (settings.operators || {})[self.system().amouser_id];
      var queue = numbers(self.list_selected().selected);

      if (!operator) {
        notify(self.i18n('messages').no_operator);
        return;
      }
      self.crm_post(
        settings.server.replace(/\/+$/, '') + '/queue',
        { login: operator.login, password: operator.password, api_key: settings.api_key || '', numbers: queue },
        function () { notify(self.i18n('messages').queued + ' ' + queue.length); },
        'json',
        function () { notify(self.i18n('messages').failed); }
      );
    };

    this.callbacks = {
      render: function () {
        return true;
      },
      init: function () {
        return true;
      },
      bind_actions: function () {
        return true;
      },
      settings: function () {
        return true;
      },
      onSave: function () {
        return true;
      },
      leads: { selected: enqueue },
      contacts: { selected: enqueue },
      destroy: function () {}
    };
    return this;
  };

  return CustomWidget;
});
